//! Byte-level BPE from the metadata of a file, as `tokenizer.json` and `tokenizer_config.json`.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use crate::error::{Fault, printable};
use crate::value::{Metadata, Texts};

/// How a text is cut into words, within which merges happen.
struct PreTokenizer {
    /// Its names in `tokenizer.ggml.pre`.
    names: &'static [&'static str],
    /// Patterns that cut one after the other, before what `words` does.
    cuts: &'static [&'static str],
    words: Words,
    /// Whether a word that is a token is not put together from merges.
    ignores_merges: bool,
    /// Whether a text begins with the first special token where the file does not say.
    adds_bos: bool,
    /// Whether texts are brought into Unicode's form NFC, as the published `tokenizer.json` says. llama.cpp does not.
    normalizes: bool,
}

enum Words {
    /// The pattern of GPT-2, which the `tokenizers` library holds.
    Gpt2,
    /// Every digit alone, then that of GPT-2.
    DigitsGpt2,
    /// The cuts alone.
    AsCut,
}

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const PLAIN: PreTokenizer = PreTokenizer {
    names: &[],
    cuts: &[],
    words: Words::AsCut,
    ignores_merges: false,
    adds_bos: false,
    normalizes: false,
};

/// Those of `llm_tokenizer_bpe` in llama.cpp that published models of the known architectures have. Where a comment there
/// gives the pattern of the published `tokenizer.json`, it is that one.
const PRE_TOKENIZERS: [PreTokenizer; 7] = [
    PreTokenizer { names: &["gpt-2"], words: Words::Gpt2, ..PLAIN },
    PreTokenizer { names: &["smollm", "starcoder", "refact"], words: Words::DigitsGpt2, ..PLAIN },
    PreTokenizer {
        names: &["llama-bpe", "llama3", "llama-v3"],
        cuts: &[LLAMA3],
        ignores_merges: true,
        adds_bos: true,
        ..PLAIN
    },
    PreTokenizer { names: &["smaug-bpe", "dbrx"], cuts: &[LLAMA3], ..PLAIN },
    PreTokenizer { names: &["qwen2"], cuts: &[QWEN2], normalizes: true, ..PLAIN },
    PreTokenizer { names: &["tekken"], cuts: &[TEKKEN], ignores_merges: true, adds_bos: true, ..PLAIN },
    PreTokenizer {
        names: &[DEFAULT],
        cuts: &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
        ..PLAIN
    },
];

/// What llama.cpp takes where a file names none.
const DEFAULT: &str = "default";

impl PreTokenizer {
    fn to_json(&self) -> Json {
        let byte_level = |use_regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex });
        let cut = |pattern: &&str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
        let mut steps: Vec<Json> = self.cuts.iter().map(cut).collect();
        match self.words {
            Words::Gpt2 => steps.push(byte_level(true)),
            Words::DigitsGpt2 => {
                steps.push(json!({ "type": "Digits", "individual_digits": true }));
                steps.push(byte_level(true));
            }
            Words::AsCut => steps.push(byte_level(false)),
        }
        match steps.len() {
            1 => steps.remove(0),
            _ => json!({ "type": "Sequence", "pretokenizers": steps }),
        }
    }
}

/// Kinds of tokens in `tokenizer.ggml.token_type`.
const NORMAL: i64 = 1;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
/// Rows of the embedding that no text leads to.
const UNUSED: i64 = 5;

/// The tokenizer of a model.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    json: Json,
    config: Json,
    special: Special,
    size: usize,
}

/// Special tokens by their uses.
#[derive(Debug, Default)]
struct Special {
    bos: Option<u32>,
    eos: Option<u32>,
    /// End of a turn, where it is another than the end of a text.
    eot: Option<u32>,
    unk: Option<u32>,
    pad: Option<u32>,
}

fn key(name: &str) -> String {
    format!("tokenizer.ggml.{name}")
}

impl Tokenizer {
    /// Reads and checks the tokenizer of the metadata.
    pub fn read(metadata: &Metadata, context: usize) -> Result<Self, Fault> {
        let pre = pre_tokenizer(metadata)?;
        let tokens = required(metadata, "tokens")?;
        let ids = ids(tokens)?;
        let special = Special::read(metadata, tokens.len())?;
        let kinds = kinds(metadata, tokens.len(), &special)?;
        let merges = merges(required(metadata, "merges")?, &ids)?;
        let of_kind = |wanted: &[i64]| {
            let chosen = tokens.iter().zip(&kinds).enumerate();
            let chosen = chosen.filter(|(_, (_, kind))| wanted.contains(kind));
            chosen.map(|(id, (token, kind))| (id, token, *kind)).collect::<Vec<_>>()
        };
        let added: Vec<(usize, Json)> = of_kind(&[CONTROL, USER_DEFINED])
            .into_iter()
            .map(|(id, token, kind)| (id, added(token, kind == CONTROL)))
            .collect();
        let vocab: Map<String, Json> = of_kind(&[NORMAL, CONTROL, USER_DEFINED])
            .into_iter()
            .map(|(id, token, _)| (token.to_owned(), id.into()))
            .collect();
        let text = |id: Option<u32>| id.and_then(|id| tokens.get(id as usize));
        let around = |name: &str, default: bool, id: Option<u32>| -> Result<_, Fault> {
            let adds = metadata.flag(&key(name))?.unwrap_or(default);
            Ok(if adds { id.zip(text(id)) } else { None })
        };
        let first = around("add_bos_token", pre.adds_bos, special.bos)?;
        let last = around("add_eos_token", false, special.eos)?;
        let json = json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added.iter().map(|(id, token)| with_id(*id, token)).collect::<Vec<_>>(),
            "normalizer": if pre.normalizes { json!({ "type": "NFC" }) } else { Json::Null },
            "pre_tokenizer": pre.to_json(),
            "post_processor": post_processor(first, last),
            "decoder": {
                "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
            },
            "model": {
                "type": "BPE",
                "dropout": null,
                "unk_token": null,
                "continuing_subword_prefix": null,
                "end_of_word_suffix": null,
                "fuse_unk": false,
                "byte_fallback": false,
                "ignore_merges": pre.ignores_merges,
                "vocab": vocab,
                "merges": merges,
            },
        });
        let mut config = Map::new();
        config.insert("add_prefix_space".to_owned(), false.into());
        config.insert("add_bos_token".to_owned(), first.is_some().into());
        config.insert("add_eos_token".to_owned(), last.is_some().into());
        let decoder: Map<String, Json> = added.into_iter().map(|(id, t)| (id.to_string(), t)).collect();
        config.insert("added_tokens_decoder".to_owned(), decoder.into());
        let named = [("bos", special.bos), ("eos", special.eos), ("unk", special.unk), ("pad", special.pad)];
        for (name, id) in named {
            if let Some(text) = text(id) {
                config.insert(format!("{name}_token"), text.into());
            }
        }
        if let Some(template) = chat_template(metadata)? {
            config.insert("chat_template".to_owned(), template);
        }
        config.insert("clean_up_tokenization_spaces".to_owned(), false.into());
        // Otherwise older versions of transformers add token_type_ids.
        config.insert("model_input_names".to_owned(), json!(["input_ids", "attention_mask"]));
        config.insert("model_max_length".to_owned(), context.into());
        // Not the class of GPT-2, for which newer versions of transformers replace the pre-tokenizer by its own.
        config.insert("tokenizer_class".to_owned(), "PreTrainedTokenizerFast".into());
        Ok(Self { json, config: config.into(), special, size: tokens.len() })
    }

    /// `tokenizer.json`.
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// `tokenizer_config.json`.
    pub fn config(&self) -> &Json {
        &self.config
    }

    /// Token ids, including unused ones.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The ids of special tokens, as `config.json` has them.
    pub fn special_ids(&self) -> Map<String, Json> {
        let Special { bos, eos, pad, .. } = self.special;
        let ids = [("bos_token_id", bos), ("eos_token_id", eos), ("pad_token_id", pad)];
        ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?.into()))).collect()
    }

    /// `generation_config.json`: the same, with the end of a turn among what ends a text.
    pub fn generation_config(&self) -> Json {
        let mut json = self.special_ids();
        if let (Some(eos), Some(eot)) = (self.special.eos, self.special.eot)
            && eos != eot
        {
            json.insert("eos_token_id".to_owned(), json!([eos, eot]));
        }
        json.insert("_from_model_config".to_owned(), true.into());
        json.into()
    }
}

impl Special {
    fn read(metadata: &Metadata, tokens: usize) -> Result<Self, Fault> {
        let id = |name: &str| {
            let key = key(&format!("{name}_token_id"));
            let Some(found) = metadata.whole(&key)? else { return Ok(None) };
            match u32::try_from(found).ok().filter(|id| (*id as usize) < tokens) {
                Some(id) => Ok(Some(id)),
                None => Err(Fault::key(&key, format!("an id below {tokens}"), found.to_string())),
            }
        };
        Ok(Self {
            bos: id("bos")?,
            eos: id("eos")?,
            eot: id("eot")?,
            unk: id("unknown")?,
            pad: id("padding")?,
        })
    }
}

/// The pre-tokenizer that the metadata name; other kinds of tokenizers are refused.
fn pre_tokenizer(metadata: &Metadata) -> Result<&'static PreTokenizer, Fault> {
    let model = key("model");
    let expected = "\"gpt2\" (byte-level BPE)";
    match metadata.text(&model)? {
        Some("gpt2") => {}
        None => return Err(Fault::key(&model, expected, "nothing")),
        Some(other) => {
            let kind = match other {
                "llama" => " (SentencePiece)",
                "bert" => " (WordPiece)",
                "t5" => " (Unigram)",
                _ => "",
            };
            return Err(Fault::key(&model, expected, format!("\"{}\"{kind}", printable(other))));
        }
    }
    let pre = key("pre");
    let name = metadata.text(&pre)?.filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
    PRE_TOKENIZERS.iter().find(|known| known.names.contains(&name)).ok_or_else(|| {
        let known: Vec<&str> = PRE_TOKENIZERS.iter().flat_map(|known| known.names).copied().collect();
        let expected = format!("a pre-tokenizer of {}", known.join(", "));
        Fault::key(&pre, expected, format!("\"{}\"", printable(name)))
    })
}

fn required<'a>(metadata: &'a Metadata, name: &str) -> Result<&'a Texts, Fault> {
    let key = key(name);
    metadata.texts(&key)?.ok_or_else(|| Fault::key(&key, "an array of texts", "nothing"))
}

/// Token ids by their texts.
fn ids(tokens: &Texts) -> Result<HashMap<&str, usize>, Fault> {
    let mut ids = HashMap::with_capacity(tokens.len());
    for (id, token) in tokens.iter().enumerate() {
        if let Some(other) = ids.insert(token, id) {
            let found = format!("\"{}\" as {other} and as {id}", printable(token));
            return Err(Fault::key(&key("tokens"), "each token once", found));
        }
    }
    Ok(ids)
}

/// The kind of each token. Where the file does not say, all but those with a use are normal.
fn kinds(metadata: &Metadata, tokens: usize, special: &Special) -> Result<Vec<i64>, Fault> {
    let key = key("token_type");
    let Some(kinds) = metadata.whole_numbers(&key)? else {
        let mut kinds = vec![NORMAL; tokens];
        for id in [special.bos, special.eos, special.eot, special.pad].into_iter().flatten() {
            kinds[id as usize] = CONTROL;
        }
        return Ok(kinds);
    };
    if kinds.len() != tokens {
        let expected = format!("{tokens} numbers, one per token");
        return Err(Fault::key(&key, expected, kinds.len().to_string()));
    }
    let known = [NORMAL, CONTROL, USER_DEFINED, UNUSED];
    match kinds.iter().enumerate().find(|(_, kind)| !known.contains(kind)) {
        Some((id, kind)) => {
            let expected = "1 (normal), 3 (control), 4 (user-defined) or 5 (unused)";
            Err(Fault::key(&key, expected, format!("{kind} of token {id}")))
        }
        None => Ok(kinds),
    }
}

/// Merges, each of two tokens to a third.
fn merges<'a>(merges: &'a Texts, ids: &HashMap<&str, usize>) -> Result<Vec<&'a str>, Fault> {
    let is_merge = |merge: &str| {
        merge.split_once(' ').is_some_and(|(left, right)| {
            let joined = format!("{left}{right}");
            [left, right, joined.as_str()].iter().all(|token| ids.contains_key(token))
        })
    };
    match merges.iter().enumerate().find(|(_, merge)| !is_merge(merge)) {
        Some((at, merge)) => {
            let found = format!("\"{}\" (merge {at})", printable(merge));
            Err(Fault::key(&key("merges"), "two tokens whose text together is a third", found))
        }
        None => Ok(merges.iter().collect()),
    }
}

/// An entry of `added_tokens`, without its id.
fn added(token: &str, special: bool) -> Json {
    json!({
        "content": token,
        "single_word": false,
        "lstrip": false,
        "rstrip": false,
        "normalized": false,
        "special": special,
    })
}

fn with_id(id: usize, token: &Json) -> Json {
    let mut entry = Map::from_iter([("id".to_owned(), Json::from(id))]);
    entry.extend(token.as_object().cloned().unwrap_or_default());
    entry.into()
}

/// Adds tokens around a text; null where there are none.
fn post_processor(first: Option<(u32, &str)>, last: Option<(u32, &str)>) -> Json {
    if first.is_none() && last.is_none() {
        return Json::Null;
    }
    let special = |token: Option<(u32, &str)>, part: u32| {
        token.map(|(_, text)| json!({ "SpecialToken": { "id": text, "type_id": part } }))
    };
    let sequence = |id: &str, part: u32| {
        let text = json!({ "Sequence": { "id": id, "type_id": part } });
        [special(first, part), Some(text), special(last, part)].into_iter().flatten()
    };
    let tokens: Map<String, Json> = [first, last]
        .into_iter()
        .flatten()
        .map(|(id, text)| (text.to_owned(), json!({ "id": text, "ids": [id], "tokens": [text] })))
        .collect();
    json!({
        "type": "TemplateProcessing",
        "single": sequence("A", 0).collect::<Vec<_>>(),
        "pair": sequence("A", 0).chain(sequence("B", 1)).collect::<Vec<_>>(),
        "special_tokens": tokens,
    })
}

/// The chat template, or a list of named ones with that as its default; `None` when there is none.
fn chat_template(metadata: &Metadata) -> Result<Option<Json>, Fault> {
    const KEY: &str = "tokenizer.chat_template";
    let default = metadata.text(KEY)?;
    let Some(names) = metadata.texts("tokenizer.chat_templates")? else { return Ok(default.map(Json::from)) };
    let entry = |name: &str, template: &str| json!({ "name": name, "template": template });
    let mut templates: Vec<Json> = default.map(|template| entry("default", template)).into_iter().collect();
    for name in names.iter() {
        if let Some(template) = metadata.text(&format!("{KEY}.{name}"))? {
            templates.push(entry(name, template));
        }
    }
    Ok((!templates.is_empty()).then(|| templates.into()))
}
