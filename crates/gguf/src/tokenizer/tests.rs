use serde_json::json;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _};

use super::*;
use crate::testing::{GgufFile, Meta, tiny_llama, tokenizer};

/// The tokenizer of the tiny model with other metadata.
fn read(change: impl FnOnce(&mut GgufFile)) -> Result<Tokenizer, String> {
    let mut file = tiny_llama();
    change(&mut file);
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), file.bytes()).unwrap();
    let found = crate::file::Gguf::open(path.path()).and_then(|file| Tokenizer::read(&file.metadata, 128));
    found.map_err(|fault| fault.of(path.path()).to_string())
}

fn loaded(change: impl FnOnce(&mut GgufFile)) -> tokenizers::Tokenizer {
    let json = read(change).unwrap().json().to_string();
    tokenizers::Tokenizer::from_bytes(json).unwrap()
}

fn pre(name: &str) -> impl FnOnce(&mut GgufFile) {
    let value = Meta::Text(name.to_owned());
    move |file| file.set("tokenizer.ggml.pre", value)
}

/// The words into which a pre-tokenizer cuts a text, `|` between them.
fn words(name: &str, text: &str) -> String {
    let tokenizer = loaded(pre(name));
    let mut cut = PreTokenizedString::from(text);
    tokenizer.get_pre_tokenizer().unwrap().pre_tokenize(&mut cut).unwrap();
    let words = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
    words.iter().map(|(_, (from, to), _)| &text[*from..*to]).collect::<Vec<_>>().join("|")
}

/// Cut by hand with the patterns of llama.cpp.
#[test]
fn words_are_those_of_the_named_pre_tokenizer() {
    let text = "I'LL pay 12345 USD  now!!\n\n Don't";
    for (names, expected) in [
        ("gpt-2", "I|'|LL| pay| 12345| USD| | now|!!|\n\n| Don|'t"),
        ("smollm starcoder refact", "I|'|LL| pay| |1|2|3|4|5| USD| | now|!!|\n\n| Don|'t"),
        ("llama-bpe llama3 llama-v3 smaug-bpe dbrx", "I|'LL| pay| |123|45| USD| | now|!!\n\n| Don|'t"),
        ("qwen2", "I|'LL| pay| |1|2|3|4|5| USD| | now|!!\n\n| Don|'t"),
        ("tekken", "I|'LL| pay| |1|2|3|4|5| USD| | now|!!\n\n| Don|'t"),
        ("default", "I|'|LL| pay| |123|45| USD| | now|!!|\n\n| Don|'|t"),
    ] {
        for name in names.split(' ') {
            assert_eq!(words(name, text), expected, "{name}");
        }
    }
    // What an empty name and none stand for.
    let of_default = read(pre("default")).unwrap().json;
    assert_eq!(read(pre("")).unwrap().json, of_default);
    assert_eq!(read(|file| file.unset("tokenizer.ggml.pre")).unwrap().json, of_default);
}

#[test]
fn ids_are_those_of_tokens_and_merges() {
    let tokenizer = loaded(|_| ());
    let ids = |text: &str| tokenizer.encode(text, true).unwrap().get_ids().to_vec();
    let id = |token: &str| tokenizer.token_to_id(token).unwrap();
    // A digit is a word of its own, so nothing merges them.
    assert_eq!(ids("a the 12"), [id("a"), id("Ġthe"), id("Ġ"), id("1"), id("2")]);
    assert_eq!(ids("<|im_start|>the<|im_end|>"), [1, id("the"), 2]);
    assert_eq!(tokenizer.decode(&ids("Zürich, 日本"), false).unwrap(), "Zürich, 日本");
    assert_eq!(tokenizer.get_added_tokens_decoder().len(), 3);
    let gpt2 = loaded(pre("gpt-2"));
    assert_eq!(gpt2.encode("123", true).unwrap().get_ids(), [id("123")]);
}

#[test]
fn a_text_begins_and_ends_as_the_metadata_say() {
    let ids = |change: &dyn Fn(&mut GgufFile)| loaded(change).encode("a", true).unwrap().get_ids().to_vec();
    let a = ids(&|_| ())[0];
    let flag = |file: &mut GgufFile, name: &str, value: bool| {
        file.set(&format!("tokenizer.ggml.add_{name}_token"), Meta::Bool(value));
    };
    assert_eq!(ids(&|file| flag(file, "bos", true)), [1, a]);
    assert_eq!(ids(&|file| flag(file, "eos", true)), [a, 2]);
    let llama = |file: &mut GgufFile| pre("llama-bpe")(file);
    assert_eq!(ids(&llama), [1, a]);
    assert_eq!(
        ids(&|file| {
            llama(file);
            flag(file, "bos", false);
            flag(file, "eos", true);
        }),
        [a, 2]
    );
}

#[test]
fn only_qwen2_normalizes_and_only_llama_ignores_merges() {
    let of = |name: &str| read(pre(name)).unwrap().json;
    for name in ["gpt-2", "smollm", "llama-bpe", "smaug-bpe", "tekken", "default", "qwen2"] {
        let json = of(name);
        assert_eq!(json["normalizer"] == json!({ "type": "NFC" }), name == "qwen2");
        assert_eq!(json["model"]["ignore_merges"], ["llama-bpe", "tekken"].contains(&name));
    }
}

#[test]
fn special_tokens_and_the_template_are_named() {
    let tokenizer = read(|file| file.set("tokenizer.ggml.eot_token_id", Meta::U32(0))).unwrap();
    let config = tokenizer.config();
    assert_eq!(config["bos_token"], "<|im_start|>");
    assert_eq!(config["eos_token"], "<|im_end|>");
    assert_eq!(config["pad_token"], "<|end|>");
    assert_eq!(config["unk_token"], Json::Null);
    assert_eq!(config["model_max_length"], 128);
    assert!(config["chat_template"].as_str().unwrap().contains("<|im_start|>"));
    assert_eq!(tokenizer.generation_config()["eos_token_id"], json!([2, 0]));
    assert_eq!(tokenizer.special_ids()["eos_token_id"], 2);

    let named = read(|file| {
        file.set("tokenizer.chat_templates", Meta::Texts(vec!["tools".to_owned()]));
        file.set("tokenizer.chat_template.tools", Meta::Text("T".to_owned()));
    });
    let named = named.unwrap().config["chat_template"].clone();
    assert_eq!(
        (&named[0]["name"], &named[1]),
        (&json!("default"), &json!({ "name": "tools", "template": "T" }))
    );
    let without = read(|file| file.unset("tokenizer.chat_template")).unwrap();
    assert_eq!(without.config.get("chat_template"), None);
}

#[test]
fn kinds_of_tokens_decide_what_is_special() {
    let kinds = |change: &dyn Fn(&mut Vec<i32>)| {
        let mut kinds: Vec<i32> = vec![1; 264];
        change(&mut kinds);
        move |file: &mut GgufFile| file.set("tokenizer.ggml.token_type", Meta::I32s(kinds))
    };
    let added = |found: Result<Tokenizer, String>| found.unwrap().json["added_tokens"].clone();
    let one = added(read(kinds(&|kinds| kinds[1] = 4)));
    assert_eq!((one.as_array().unwrap().len(), &one[0]["special"]), (1, &json!(false)));
    // Nothing leads to an unused token.
    let without = read(kinds(&|kinds| kinds[263] = 5)).unwrap();
    assert_eq!((without.size(), without.json["model"]["vocab"].get("123")), (264, None));
    // Without kinds, those that have a use are special.
    let some = added(read(|file| file.unset("tokenizer.ggml.token_type")));
    assert_eq!(some.as_array().unwrap().len(), 3);
    for (change, found) in [(6, "6 of token 7"), (2, "2 of token 7")] {
        let error = read(kinds(&|kinds| kinds[7] = change)).unwrap_err();
        assert!(error.contains("tokenizer.ggml.token_type") && error.contains(found), "{error}");
    }
    let error = read(kinds(&|kinds| kinds.truncate(263))).unwrap_err();
    assert!(error.contains("264 numbers, one per token, found 263"), "{error}");
}

#[test]
fn refuses_other_tokenizers_by_name() {
    for (model, found) in
        [("llama", "\"llama\" (SentencePiece)"), ("bert", "\"bert\" (WordPiece)"), ("rwkv", "\"rwkv\"")]
    {
        let error = read(|file| file.set("tokenizer.ggml.model", Meta::Text(model.to_owned()))).unwrap_err();
        assert!(
            error.contains("expected \"gpt2\" (byte-level BPE), found ") && error.contains(found),
            "{error}"
        );
    }
    let error = read(|file| file.unset("tokenizer.ggml.model")).unwrap_err();
    assert!(error.contains("tokenizer.ggml.model") && error.contains("found nothing"), "{error}");
    let error = read(pre("deepseek-llm")).unwrap_err();
    assert!(error.contains("smollm, starcoder") && error.contains("found \"deepseek-llm\""), "{error}");
}

#[test]
fn refuses_vocabularies_that_contradict_themselves() {
    let metadata = tokenizer(264, "smollm");
    let of = |name: &str| {
        let found = metadata.iter().find(|(key, _)| key.ends_with(name)).unwrap();
        match &found.1 {
            Meta::Texts(texts) => texts.clone(),
            _ => unreachable!(),
        }
    };
    let mut twice = of("tokens");
    twice[200] = twice[100].clone();
    let error = read(|file| file.set("tokenizer.ggml.tokens", Meta::Texts(twice))).unwrap_err();
    assert!(error.contains("each token once") && error.contains("as 100 and as 200"), "{error}");
    for merge in ["th", "t zz", "q q", "t h e", ""] {
        let mut merges = of("merges");
        merges[2] = merge.to_owned();
        let error = read(|file| file.set("tokenizer.ggml.merges", Meta::Texts(merges))).unwrap_err();
        assert!(error.contains(&format!("found \"{merge}\" (merge 2)")), "{error}");
    }
    for name in ["tokens", "merges"] {
        let error = read(|file| file.unset(&format!("tokenizer.ggml.{name}"))).unwrap_err();
        assert!(error.contains("an array of texts, found nothing"), "{error}");
    }
    let error = read(|file| file.set("tokenizer.ggml.eos_token_id", Meta::U32(264))).unwrap_err();
    assert!(error.contains("tokenizer.ggml.eos_token_id") && error.contains("an id below 264, found 264"));
}
