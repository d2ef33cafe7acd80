//! Shape and constants of a model from the metadata of its file.

use serde_json::{Map, Value as Json, json};

use crate::error::{Fault, printable};
use crate::file::{Gguf, Tensor};
use crate::rope::Scaling;
use crate::value::{Metadata, Value};

/// Any size of a model at most.
const LARGEST_SIZE: u64 = 1 << 24;

/// A family of models, by the name that llama.cpp and `transformers` share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    Llama,
    Qwen2,
}

impl Architecture {
    const ALL: [Self; 2] = [Self::Llama, Self::Qwen2];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
        }
    }

    /// Whether llama.cpp rotates neighbouring pairs, for which its converter has reordered the rows of q and k; else it
    /// rotates halves, as `transformers` always does.
    pub fn rotates_pairs(self) -> bool {
        self == Self::Llama
    }
}

/// Keys below the architecture's name that are read here.
const READ: [&str; 19] = [
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    // What the other keys of the scaling were made from; linear scaling does not depend on them.
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "attention.sliding_window",
    "vocab_size",
];

/// Keys that change the computation unless they have this value.
fn neutral(key: &str) -> Option<Value> {
    Some(match key {
        "attention.causal" => Value::Flag(true),
        "expert_count" | "expert_used_count" => Value::Unsigned(0),
        // The order of rows that every converter to this architecture makes.
        "tensor_data_layout" => Value::Text("Meta AI original pth".to_owned()),
        _ => return None,
    })
}

/// A decoder as its file describes it.
#[derive(Debug)]
pub(crate) struct Config {
    pub architecture: Architecture,
    pub layers: usize,
    pub hidden: usize,
    pub intermediate: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub context: usize,
    pub vocab: usize,
    epsilon: f64,
    theta: f64,
    scaling: Scaling,
    /// Whether the language model head is the embedding.
    pub tied: bool,
    /// Biases on q, k, v and the output.
    pub attention_bias: bool,
    /// Biases on gate, up and down.
    pub mlp_bias: bool,
}

/// The architecture that a file names, when it is a whole model of one that is known.
pub(crate) fn architecture(metadata: &Metadata) -> Result<Architecture, Fault> {
    const KEY: &str = "general.architecture";
    let known = Architecture::ALL.map(|a| format!("\"{}\"", a.as_str())).join(" or ");
    let Some(name) = metadata.text(KEY)? else { return Err(Fault::key(KEY, known, "nothing")) };
    let found = Architecture::ALL.into_iter().find(|a| a.as_str() == name);
    let found = found.ok_or_else(|| Fault::key(KEY, known, format!("\"{}\"", printable(name))))?;
    match metadata.text("general.type")? {
        None | Some("model") => {}
        Some(other) => {
            return Err(Fault::key("general.type", "\"model\"", format!("\"{}\"", printable(other))));
        }
    }
    match metadata.whole("split.count")? {
        None | Some(0 | 1) => Ok(found),
        Some(n) => {
            let found = format!("one of {n} files (`llama-gguf-split --merge` joins them)");
            Err(Fault::key("split.count", "a model in one file", found))
        }
    }
}

/// Metadata below the architecture's name.
struct Keys<'a> {
    architecture: Architecture,
    metadata: &'a Metadata,
}

impl Keys<'_> {
    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture.as_str())
    }

    fn fault(&self, key: &str, expected: impl Into<String>, found: &impl ToString) -> Fault {
        Fault::key(&self.name(key), expected, found.to_string())
    }

    /// A size from 1 to [`LARGEST_SIZE`]; `None` when the key is absent.
    fn size(&self, key: &str) -> Result<Option<usize>, Fault> {
        let Some(n) = self.metadata.whole(&self.name(key))? else { return Ok(None) };
        let size = usize::try_from(n).ok().filter(|_| (1..=LARGEST_SIZE).contains(&n));
        let expected = || format!("a whole number from 1 to {LARGEST_SIZE}");
        size.map(Some).ok_or_else(|| self.fault(key, expected(), &n))
    }

    fn required(&self, key: &str) -> Result<usize, Fault> {
        self.size(key)?.ok_or_else(|| self.fault(key, "a whole number", &"nothing"))
    }

    /// A number above 0; `None` when the key is absent.
    fn positive(&self, key: &str) -> Result<Option<f64>, Fault> {
        match self.metadata.number(&self.name(key))? {
            Some(x) if x <= 0.0 => Err(self.fault(key, "a number above 0", &x)),
            found => Ok(found),
        }
    }

    /// Refuses keys that nothing here reads: they could change the computation.
    fn check_names(&self) -> Result<(), Fault> {
        let prefix = self.name("");
        for (key, value) in self.metadata.iter() {
            let Some(name) = key.strip_prefix(&prefix).filter(|name| !READ.contains(name)) else { continue };
            match neutral(name) {
                Some(accepted) if accepted == *value => {}
                Some(accepted) => return Err(self.fault(name, accepted.describe(), &value.describe())),
                None => {
                    let expected = "no key that would change the computation of this architecture";
                    return Err(self.fault(name, expected, &value.describe()));
                }
            }
        }
        Ok(())
    }
}

impl Config {
    /// Reads and checks the keys of the file's architecture.
    pub fn read(file: &Gguf) -> Result<Self, Fault> {
        let architecture = architecture(&file.metadata)?;
        let keys = Keys { architecture, metadata: &file.metadata };
        keys.check_names()?;
        let has = |name: &str| file.tensors.iter().any(|tensor| tensor.name == name);
        let layers = keys.required("block_count")?;
        if layers > file.tensors.len() {
            let found = format!("{layers} with {} tensors", file.tensors.len());
            return Err(keys.fault("block_count", "tensors in each layer", &found));
        }
        let hidden = keys.required("embedding_length")?;
        let heads = keys.required("attention.head_count")?;
        let kv_heads = keys.size("attention.head_count_kv")?.unwrap_or(heads);
        if !heads.is_multiple_of(kv_heads) {
            let expected = format!("a divisor of the {heads} heads");
            return Err(keys.fault("attention.head_count_kv", expected, &kv_heads));
        }
        let head_dim = head_dim(&keys, hidden, heads)?;
        let context = keys.required("context_length")?;
        match keys.metadata.whole(&keys.name("attention.sliding_window"))? {
            Some(window) if window != 0 && window < context as u64 => {
                let expected = format!("a window of at least the context of {context} tokens, or none");
                return Err(keys.fault("attention.sliding_window", expected, &window));
            }
            _ => {}
        }
        const EPSILON: &str = "attention.layer_norm_rms_epsilon";
        let epsilon = keys.positive(EPSILON)?;
        let epsilon = epsilon.ok_or_else(|| keys.fault(EPSILON, "a number above 0", &"nothing"))?;
        let theta = keys.positive("rope.freq_base")?.unwrap_or(10_000.0);
        let scaling = linear(&keys)?;
        let vocab = embedding(file)?.shape[0];
        match keys.size("vocab_size")? {
            Some(n) if n != vocab => {
                let expected = format!("{vocab}, the rows of the embedding");
                return Err(keys.fault("vocab_size", expected, &n));
            }
            _ => {}
        }
        let any = |parts: &[&str]| parts.iter().any(|part| has(&format!("blk.0.{part}.bias")));
        Ok(Self {
            architecture,
            layers,
            hidden,
            intermediate: keys.required("feed_forward_length")?,
            heads,
            kv_heads,
            head_dim,
            context,
            vocab,
            epsilon,
            theta,
            scaling: scaling.with_factors(file, theta, head_dim)?,
            tied: !has("output.weight"),
            attention_bias: any(&["attn_q", "attn_k", "attn_v", "attn_output"]),
            mlp_bias: any(&["ffn_gate", "ffn_up", "ffn_down"]),
        })
    }

    /// `config.json`. The standard deviation of random weights is in no GGUF; the key is absent and has its default.
    pub fn to_json(&self, dtype: &str, special: &Map<String, Json>) -> Json {
        let json = json!({
            "architectures": [self.architecture.class()],
            "model_type": self.architecture.as_str(),
            "vocab_size": self.vocab,
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": self.context,
            "rope_theta": self.theta,
            "rope_scaling": self.scaling.to_json(),
            "rms_norm_eps": self.epsilon,
            "tie_word_embeddings": self.tied,
            "torch_dtype": dtype,
        });
        let Json::Object(mut json) = json else { unreachable!("an object was written") };
        if self.architecture == Architecture::Llama {
            json.insert("attention_bias".to_owned(), self.attention_bias.into());
            json.insert("mlp_bias".to_owned(), self.mlp_bias.into());
        }
        json.extend(special.clone());
        Json::Object(json)
    }
}

/// The embedding: a row per token.
fn embedding(file: &Gguf) -> Result<&Tensor, Fault> {
    const NAME: &str = "token_embd.weight";
    let found = file.tensors.iter().find(|tensor| tensor.name == NAME);
    let found = found.ok_or_else(|| Fault::tensor(NAME, "the embedding", "no tensor of that name"))?;
    match found.shape[..] {
        [_, _] => Ok(found),
        _ => Err(Fault::tensor(NAME, "a matrix", format!("shape {:?}", found.shape))),
    }
}

/// Width of a head: of keys, values and their rotation alike.
fn head_dim(keys: &Keys<'_>, hidden: usize, heads: usize) -> Result<usize, Fault> {
    let dim = match keys.size("attention.key_length")? {
        Some(dim) => dim,
        None if hidden.is_multiple_of(heads) => hidden / heads,
        None => {
            let expected = format!("a divisor of embedding_length ({hidden}), or a key_length");
            return Err(keys.fault("attention.head_count", expected, &heads));
        }
    };
    if !dim.is_multiple_of(2) {
        return Err(keys.fault("attention.key_length", "an even width of heads", &dim));
    }
    for key in ["attention.value_length", "rope.dimension_count"] {
        match keys.size(key)? {
            Some(n) if n != dim => return Err(keys.fault(key, format!("{dim}, the width of a head"), &n)),
            _ => {}
        }
    }
    Ok(dim)
}

/// The scaling of rotary positions that keys state, as llama.cpp reads them: a factor without a type is linear.
fn linear(keys: &Keys<'_>) -> Result<Scaling, Fault> {
    if let Some(factor) = keys.positive("rope.scaling.attn_factor")?
        && factor != 1.0
    {
        return Err(keys.fault("rope.scaling.attn_factor", "1", &factor));
    }
    match keys.metadata.text(&keys.name("rope.scaling.type"))? {
        Some("none") => return Ok(Scaling::None),
        None | Some("linear") => {}
        Some(other) => {
            let found = format!("\"{}\"", printable(other));
            return Err(keys.fault("rope.scaling.type", "\"none\" or \"linear\"", &found));
        }
    }
    let mut factor = None;
    for key in ["rope.scaling.factor", "rope.scale_linear"] {
        // 0 is none there.
        let found = keys.metadata.number(&keys.name(key))?.filter(|factor| *factor != 0.0);
        if let Some(factor) = found.filter(|factor| *factor < 0.0) {
            return Err(keys.fault(key, "a number above 0", &factor));
        }
        factor = factor.or(found);
    }
    Ok(factor.filter(|factor| *factor != 1.0).map_or(Scaling::None, Scaling::Linear))
}
