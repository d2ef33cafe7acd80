//! `model import`: GGUF files that the tests write, as model folders or refused.

use serde_json::Value;

use crate::folder::{EXPERIMENT, Folder};
use crate::gguf_file::{Meta, f32s, tiny_llama};

/// A folder with `tiny.gguf`.
fn folder() -> Folder {
    let folder = Folder::empty();
    folder.write("tiny.gguf", tiny_llama().bytes());
    folder
}

const FILES: [&str; 6] = [
    "config.json",
    "generation_config.json",
    "import.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
];

#[test]
fn makes_a_folder_that_other_commands_read() {
    let folder = folder();
    let output = folder.run(&["model", "import", "tiny.gguf", "--out", "models/tiny"]);
    let lines: Vec<&str> = output.ok().lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "models/tiny"));
    assert!(
        lines[1].starts_with("llama model of 27040 parameters as float32, from F32 tensors (20 F32)"),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with("sha256 of tiny.gguf: "), "{}", lines[2]);
    let mut names: Vec<String> = std::fs::read_dir(folder.path("models/tiny"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, FILES);
    assert_eq!(std::fs::read_dir(folder.path("models")).unwrap().count(), 1, "nothing temporary is left");
    let inspect = folder.run(&["model", "inspect", "models/tiny", "--format", "json"]).json();
    assert_eq!(inspect["footprint"]["parameters"], 26912);
    assert_eq!(inspect["tokenizer"]["chat_template"], true);
    assert_eq!(inspect["imported"]["file"], "tiny.gguf");
    let text = folder.run(&["model", "inspect", "models/tiny"]);
    assert!(text.ok().contains("imported           tiny.gguf (F32), sha256 "), "{}", text.stdout);
    let logits = folder.run(&["model", "logits", "--checkpoint", "models/tiny", "--text", "the 12"]).json();
    let logits: Vec<f64> = serde_json::from_value(logits).unwrap();
    assert!(logits.len() == 264 && logits.iter().any(|l| *l != logits[0]));
}

#[test]
fn narrower_weights_take_half_the_room() {
    let folder = folder();
    let size = |dtype: &str| {
        let args = ["model", "import", "tiny.gguf", "--out", dtype, "--dtype", dtype, "--format", "json"];
        let json = folder.run(&args).json();
        assert_eq!((&json["dtype"], &json["folder"]), (&Value::from(dtype), &Value::from(dtype)));
        assert_eq!(json["tensor_types"]["F32"], 20);
        std::fs::metadata(folder.path(dtype).join("model.safetensors")).unwrap().len()
    };
    let full = size("float32");
    for dtype in ["float16", "bfloat16"] {
        assert!((full / 2..full * 3 / 5).contains(&size(dtype)), "{dtype}");
    }
    let message = folder.run(&["model", "import", "tiny.gguf", "--out", "x", "--dtype", "flot32"]).refused();
    assert!(message.contains("did you mean \"float32\"?"), "{message}");
}

#[test]
fn overwrites_nothing() {
    let folder = folder();
    folder.write("file", "kept");
    std::fs::create_dir(folder.path("dir")).unwrap();
    let before = folder.names();
    for out in ["file", "dir", "."] {
        let message = folder.run(&["model", "import", "tiny.gguf", "--out", out]).refused();
        assert!(message.contains("never overwritten"), "{message}");
    }
    assert_eq!(folder.names(), before);
    assert_eq!(std::fs::read_to_string(folder.path("file")).unwrap(), "kept");
}

/// Each is refused with exit 2 and its reason, and leaves nothing, not even the folders around the one that it was for.
#[test]
fn what_cannot_be_imported_is_refused_and_writes_nothing() {
    let folder = folder();
    let whole = tiny_llama().bytes();
    let with = |change: &dyn Fn(&mut crate::gguf_file::GgufFile)| {
        let mut file = tiny_llama();
        change(&mut file);
        file.bytes()
    };
    let text = |key: &'static str, value: &'static str| {
        with(&move |file| file.set(key, Meta::Text(value.to_owned())))
    };
    let cases: [(Vec<u8>, &str); 14] = [
        (Vec::new(), "expected a GGUF file, found an empty file"),
        (b"PK\x03\x04 a wheel".to_vec(), "found a zip archive (a wheel is one)"),
        (b"not a model".to_vec(), "begins with \"not a mo\""),
        (whole[..5000].to_vec(), "(is it truncated?)"),
        (whole[..whole.len() - 1].to_vec(), "(is it truncated?)"),
        (with(&|file| file.version = 1), "GGUF version: expected 2 or 3, found 1"),
        (text("general.architecture", "gemma2"), "expected \"llama\" or \"qwen2\", found \"gemma2\""),
        (text("tokenizer.ggml.model", "llama"), "found \"llama\" (SentencePiece)"),
        (text("tokenizer.ggml.pre", "falcon"), "found \"falcon\""),
        (text("llama.rope.scaling.type", "yarn"), "found \"yarn\""),
        (with(&|file| file.tensor("blk.0.attn_q.weight").kind = 19), "found IQ1_S"),
        (with(&|file| drop(file.tensors.pop())), "`blk.1.ffn_down.weight`"),
        (with(&|file| file.tensors.push(f32s("extra", &[1], &[0.0]))), "tensor `extra`"),
        // Found only when the folder is being written.
        (
            with(&|file| file.tensor("output_norm.weight").bytes[..4].fill(0xff)),
            "expected finite values, found NaN",
        ),
    ];
    for (bytes, reason) in cases {
        folder.write("broken.gguf", bytes);
        let before = folder.names();
        let start = std::time::Instant::now();
        let message = folder.run(&["model", "import", "broken.gguf", "--out", "new/models/x"]).refused();
        assert!(message.contains("broken.gguf: ") && message.contains(reason), "{reason}: {message}");
        assert!(start.elapsed().as_secs() < 20);
        assert_eq!(folder.names(), before, "{reason}");
    }
    let message = folder.run(&["model", "import", "tiny.ggu", "--out", "x"]).refused();
    assert!(message.contains("tiny.ggu: ") && message.contains("did you mean tiny.gguf?"), "{message}");
    assert!(folder.run(&["model", "import", "."]).refused().contains("--out"));
}

#[test]
fn a_gguf_in_place_of_a_model_is_answered_with_the_command() {
    for name in ["tiny.gguf", "not/there.GGUF"] {
        let text = EXPERIMENT
            .replace("kind = \"test-agent\"", &format!("kind = \"test-agent\"\nmodel = \"{name}\""));
        let folder = Folder::with_experiment(&text);
        folder.write("tiny.gguf", tiny_llama().bytes());
        for args in [
            &["sweep", "small.toml"][..],
            &["model", "inspect", name],
            &["model", "logits", "--checkpoint", name, "--ids", "1"],
        ] {
            let message = folder.run(args).refused();
            assert!(message.contains(&format!("`it model import {name} --out DIR`")), "{message}");
        }
        assert!(!folder.path("runs").exists());
    }
}
