//! Writes GGUF files for tests, here and in other crates (by `#[path]`): plain bytes, no check of anything.

// Each of those that include it needs a part.
#![allow(dead_code)]

/// A value of the metadata with its type.
#[derive(Clone)]
pub enum Meta {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    I32s(Vec<i32>),
}

/// A tensor by its row-major shape, ggml's number of its type, and its bytes.
#[derive(Clone)]
pub struct Blob {
    pub name: String,
    pub shape: Vec<u64>,
    pub kind: u32,
    pub bytes: Vec<u8>,
}

/// A file to be.
#[derive(Clone)]
pub struct GgufFile {
    pub version: u32,
    pub alignment: u64,
    pub metadata: Vec<(String, Meta)>,
    pub tensors: Vec<Blob>,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl Meta {
    fn write(&self, out: &mut Vec<u8>) {
        let kind = |out: &mut Vec<u8>, kind: u32| out.extend(kind.to_le_bytes());
        match self {
            Self::U32(v) => {
                kind(out, 4);
                out.extend(v.to_le_bytes());
            }
            Self::F32(v) => {
                kind(out, 6);
                out.extend(v.to_le_bytes());
            }
            Self::Bool(v) => {
                kind(out, 7);
                out.push(u8::from(*v));
            }
            Self::Text(v) => {
                kind(out, 8);
                text(out, v);
            }
            Self::Texts(v) => {
                kind(out, 9);
                kind(out, 8);
                out.extend((v.len() as u64).to_le_bytes());
                v.iter().for_each(|v| text(out, v));
            }
            Self::I32s(v) => {
                kind(out, 9);
                kind(out, 5);
                out.extend((v.len() as u64).to_le_bytes());
                v.iter().for_each(|v| out.extend(v.to_le_bytes()));
            }
        }
    }
}

impl GgufFile {
    /// The file's bytes: tensors one after the other, each at a multiple of the alignment.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            text(&mut out, key);
            value.write(&mut out);
        }
        let mut data = Vec::new();
        let align = |bytes: &mut Vec<u8>| {
            bytes.resize(bytes.len().next_multiple_of(self.alignment as usize), 0);
        };
        for tensor in &self.tensors {
            align(&mut data);
            text(&mut out, &tensor.name);
            out.extend((tensor.shape.len() as u32).to_le_bytes());
            tensor.shape.iter().rev().for_each(|n| out.extend(n.to_le_bytes()));
            out.extend(tensor.kind.to_le_bytes());
            out.extend((data.len() as u64).to_le_bytes());
            data.extend(&tensor.bytes);
        }
        align(&mut out);
        out.extend(data);
        out
    }

    /// Sets a value, or adds it.
    pub fn set(&mut self, key: &str, value: Meta) {
        match self.metadata.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.metadata.push((key.to_owned(), value)),
        }
    }

    /// Removes a value.
    pub fn unset(&mut self, key: &str) {
        self.metadata.retain(|(name, _)| name != key);
    }

    /// The tensor of that name.
    pub fn tensor(&mut self, name: &str) -> &mut Blob {
        self.tensors.iter_mut().find(|tensor| tensor.name == name).expect("a tensor of the file")
    }
}

/// A tensor in single precision.
pub fn f32s(name: &str, shape: &[u64], values: &[f32]) -> Blob {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Blob { name: name.to_owned(), shape: shape.to_vec(), kind: 0, bytes }
}

/// llama.cpp's name of a tensor of the Llama family.
pub fn gguf_name(name: &str) -> String {
    let parts = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers.", "blk."),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    parts.iter().fold(name.to_owned(), |name, (theirs, ours)| name.replace(theirs, ours))
}

/// What llama.cpp's converter does to q and k of Llama (`LlamaModel.permute`): the two halves of each head take turns.
pub fn interleave(values: &[f32], heads: usize, row: usize) -> Vec<f32> {
    let width = values.len() / row / heads;
    let mut out = Vec::with_capacity(values.len());
    for head in 0..heads {
        for pair in 0..width / 2 {
            for half in 0..2 {
                let at = (head * width + half * width / 2 + pair) * row;
                out.extend_from_slice(&values[at..at + row]);
            }
        }
    }
    out
}

/// The symbols that byte-level BPE has for the 256 bytes (`bytes_to_unicode` of GPT-2).
pub fn byte_symbols() -> Vec<String> {
    let is_shown = |b: u32| matches!(b, 33..=126 | 161..=172 | 174..=255);
    let mut hidden = 256..;
    let symbol = |b: u32| if is_shown(b) { b } else { hidden.next().expect("endless") };
    let symbols: Vec<u32> = (0..256).map(symbol).collect();
    symbols.into_iter().map(|c| char::from_u32(c).expect("a character").to_string()).collect()
}

/// Metadata of a byte-level BPE tokenizer of `size` tokens: three special ones, the bytes, merges for "Ġthe" and numbers,
/// then tokens that nothing leads to; cut to `size`.
pub fn tokenizer(size: usize, pre: &str) -> Vec<(String, Meta)> {
    let special = ["<|end|>", "<|im_start|>", "<|im_end|>"].map(str::to_owned);
    let merges = ["t h", "th e", "Ġ the", "1 2", "12 3"];
    let mut tokens: Vec<String> = special.into_iter().chain(byte_symbols()).collect();
    tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
    let known = tokens.len();
    tokens.extend((known..size).map(|i| format!("[PAD{i}]")));
    tokens.truncate(size);
    let kind = |i: usize| match i {
        0..3 => 3,
        i if i < known => 1,
        _ => 5,
    };
    let merges = if size < known { &[][..] } else { &merges[..] };
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    vec![
        (key("model"), Meta::Text("gpt2".to_owned())),
        (key("pre"), Meta::Text(pre.to_owned())),
        (key("token_type"), Meta::I32s((0..tokens.len()).map(kind).collect())),
        (key("tokens"), Meta::Texts(tokens)),
        (key("merges"), Meta::Texts(merges.iter().map(|m| (*m).to_owned()).collect())),
        (key("bos_token_id"), Meta::U32(1)),
        (key("eos_token_id"), Meta::U32(2)),
        (key("padding_token_id"), Meta::U32(0)),
        ("tokenizer.chat_template".to_owned(), Meta::Text(CHAT.to_owned())),
    ]
}

const CHAT: &str = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}\
                    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// A whole file of a tiny Llama with a tied head: 264 tokens, two layers of width 32, two heads on one.
pub fn tiny_llama() -> GgufFile {
    const VOCAB: u64 = 264;
    let (hidden, inner) = (32u64, 64u64);
    let mut shapes = vec![
        ("token_embd.weight".to_owned(), vec![VOCAB, hidden]),
        ("output_norm.weight".to_owned(), vec![hidden]),
    ];
    for layer in 0..2 {
        for (name, shape) in [
            ("attn_norm", vec![hidden]),
            ("ffn_norm", vec![hidden]),
            ("attn_q", vec![hidden, hidden]),
            ("attn_k", vec![hidden / 2, hidden]),
            ("attn_v", vec![hidden / 2, hidden]),
            ("attn_output", vec![hidden, hidden]),
            ("ffn_gate", vec![inner, hidden]),
            ("ffn_up", vec![inner, hidden]),
            ("ffn_down", vec![hidden, inner]),
        ] {
            shapes.push((format!("blk.{layer}.{name}.weight"), shape));
        }
    }
    let mut state = 1u32;
    // A linear congruential generator: any numbers do that are not all alike.
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let tensors = shapes.into_iter().map(|(name, shape)| {
        let count = shape.iter().product::<u64>();
        let values: Vec<f32> = (0..count).map(|_| next()).collect();
        f32s(&name, &shape, &values)
    });
    let tensors = tensors.collect();
    let number = |key: &str, v: u32| (format!("llama.{key}"), Meta::U32(v));
    let mut metadata = vec![
        ("general.architecture".to_owned(), Meta::Text("llama".to_owned())),
        number("block_count", 2),
        number("context_length", 128),
        number("embedding_length", hidden as u32),
        number("feed_forward_length", inner as u32),
        number("attention.head_count", 2),
        number("attention.head_count_kv", 1),
        number("rope.dimension_count", 16),
        number("vocab_size", VOCAB as u32),
        ("llama.rope.freq_base".to_owned(), Meta::F32(10_000.0)),
        ("llama.attention.layer_norm_rms_epsilon".to_owned(), Meta::F32(1e-5)),
    ];
    metadata.extend(tokenizer(VOCAB as usize, "smollm"));
    GgufFile { version: 3, alignment: 32, metadata, tensors }
}
