use super::*;

use serde_json::json;
use tempfile::TempDir;

const TASK: &str = "Trade well.\nActions: Sell, Hold, Buy.\n";

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chat/fixtures").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// A folder whose `tokenizer_config.json` has this template.
fn folder(template: &serde_json::Value) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = json!({
        "add_bos_token": true,
        "bos_token": "<s>",
        "eos_token": { "__type": "AddedToken", "content": "</s>", "special": true },
        "pad_token": null,
        "chat_template": template,
    });
    std::fs::write(dir.path().join(CONFIG), config.to_string()).unwrap();
    dir
}

fn around(name: &str) -> Surroundings {
    let dir = folder(&fixture(name).into());
    ChatTemplate::from_dir(dir.path()).unwrap().around(TASK).unwrap()
}

#[test]
fn chatml_shows_the_task_as_system_message() {
    let text = around("chatml.jinja");
    assert_eq!(
        text.before,
        "<|im_start|>system\nTrade well.\nActions: Sell, Hold, Buy.<|im_end|>\n<|im_start|>user\n"
    );
    assert_eq!(text.after, "<|im_end|>\n<|im_start|>assistant\n");
}

/// Without a clock the template takes the date that it brings.
#[test]
fn llama_3_headers_begin_with_the_sequence_and_know_no_clock() {
    let text = around("llama3.jinja");
    assert_eq!(
        text.before,
        "<s><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\n\
         Trade well.\nActions: Sell, Hold, Buy.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n"
    );
    assert_eq!(text.after, "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
}

#[test]
fn llama_2_puts_the_system_message_into_the_users() {
    let text = around("llama2.jinja");
    assert_eq!(text.before, "<s>[INST] <<SYS>>\nTrade well.\nActions: Sell, Hold, Buy.\n<</SYS>>\n\n");
    assert_eq!(text.after, " [/INST]");
}

#[test]
fn without_a_system_message_the_task_begins_the_users() {
    let merged = "Trade well.\nActions: Sell, Hold, Buy.\n";
    let refused = around("no_system.jinja");
    assert_eq!(refused.before, format!("<s><start_of_turn>user\n{merged}"));
    assert_eq!(refused.after, "<end_of_turn>\n<start_of_turn>model\n");

    // A template that drops it without a word.
    let dir = folder(
        &"{% for m in messages if m.role == 'user' %}U: {{ m.content }}{% endfor %}{{ '\\nA:' }}".into(),
    );
    let dropped = ChatTemplate::from_dir(dir.path()).unwrap().around(TASK).unwrap();
    assert_eq!(dropped, Surroundings { before: format!("U: {merged}"), after: "\nA:".to_owned() });
}

#[test]
fn the_template_is_found_where_transformers_looks() {
    let source = "{{ messages[0].content }}{{ messages[1].content }}";
    let read = |dir: &TempDir| ChatTemplate::from_dir(dir.path()).unwrap().source;
    assert_eq!(read(&folder(&source.into())), source);
    let list = json!([
        { "name": "tool_use", "template": "other" },
        { "name": "default", "template": source },
    ]);
    assert_eq!(read(&folder(&list)), source);

    // A file of its own comes first.
    let dir = folder(&"other".into());
    assert_eq!(ChatTemplate::files(dir.path()), [CONFIG]);
    std::fs::write(dir.path().join(FILE), source).unwrap();
    assert_eq!(read(&dir), source);
    assert_eq!(ChatTemplate::files(dir.path()), [CONFIG, FILE]);
}

#[test]
fn what_cannot_be_used_is_an_error_with_the_file() {
    let error = |template: &serde_json::Value| {
        let dir = folder(template);
        let error = ChatTemplate::from_dir(dir.path()).and_then(|t| t.around(TASK)).unwrap_err().to_string();
        let (path, problem) = error.split_once(": chat_template: ").unwrap();
        assert_eq!(Path::new(path), dir.path().join(CONFIG));
        problem.to_owned()
    };
    assert!(error(&json!(null)).contains("found nothing"));
    assert!(error(&json!([{ "name": "rag", "template": "x" }])).contains("found a list without it"));
    assert!(error(&json!(3)).contains("found something else"));
    assert!(error(&"{% for m in messages %}".into()).contains("syntax error"));
    assert!(error(&"{{ raise_exception('not for you') }}".into()).contains("not for you"));
    assert!(error(&"{{ strftime_now('%Y') }}".into()).contains("strftime_now"));
    assert!(error(&"{{ messages|length }}".into()).contains("shows the user's message as it is"));
    assert!(error(&"{{ messages[-1].content }}{{ messages[-1].content }}".into()).contains("once"));
    assert!(error(&"{{ messages[-1].content | upper }}".into()).contains("as it is"));

    let empty = tempfile::tempdir().unwrap();
    let missing = ChatTemplate::from_dir(empty.path()).unwrap_err().to_string();
    assert!(missing.contains("tokenizer_config.json"), "{missing}");
}
