//! Which tensors a model of a config has, in both namings.

use crate::config::{Architecture, Config};

/// A tensor that the model must have.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Its name in the GGUF.
    pub gguf: String,
    /// Its name in `model.safetensors`.
    pub name: String,
    pub shape: Vec<usize>,
    /// Heads within each of which the converter has reordered the rows.
    pub heads: Option<usize>,
}

/// Every tensor of the model.
pub(crate) fn wanted(config: &Config) -> Vec<Wanted> {
    let Config { hidden, intermediate, vocab, heads, kv_heads, head_dim, .. } = *config;
    let (q, kv) = (heads * head_dim, kv_heads * head_dim);
    let plain = |gguf: &str, name: &str, shape: &[usize]| Wanted {
        gguf: gguf.to_owned(),
        name: name.to_owned(),
        shape: shape.to_vec(),
        heads: None,
    };
    let mut all = vec![
        plain("token_embd.weight", "model.embed_tokens.weight", &[vocab, hidden]),
        plain("output_norm.weight", "model.norm.weight", &[hidden]),
    ];
    if !config.tied {
        all.push(plain("output.weight", "lm_head.weight", &[vocab, hidden]));
    }
    let reordered = |heads: usize| config.architecture.rotates_pairs().then_some(heads);
    let always = config.architecture == Architecture::Qwen2;
    let (qkv_bias, o_bias) = (always || config.attention_bias, !always && config.attention_bias);
    let mlp_bias = !always && config.mlp_bias;
    // Both names of a matrix, its shape, heads whose rows were reordered, whether there is a bias.
    let matrices = [
        ("attn_q", "self_attn.q_proj", [q, hidden], reordered(heads), qkv_bias),
        ("attn_k", "self_attn.k_proj", [kv, hidden], reordered(kv_heads), qkv_bias),
        ("attn_v", "self_attn.v_proj", [kv, hidden], None, qkv_bias),
        ("attn_output", "self_attn.o_proj", [hidden, q], None, o_bias),
        ("ffn_gate", "mlp.gate_proj", [intermediate, hidden], None, mlp_bias),
        ("ffn_up", "mlp.up_proj", [intermediate, hidden], None, mlp_bias),
        ("ffn_down", "mlp.down_proj", [hidden, intermediate], None, mlp_bias),
    ];
    let norms = [("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")];
    for layer in 0..config.layers {
        let both = |gguf: &str, name: &str, part: &str| {
            (format!("blk.{layer}.{gguf}.{part}"), format!("model.layers.{layer}.{name}.{part}"))
        };
        for (gguf, name) in norms {
            let (gguf, name) = both(gguf, name, "weight");
            all.push(plain(&gguf, &name, &[hidden]));
        }
        for (gguf, name, shape, heads, has_bias) in matrices {
            let parts: &[(&str, &[usize])] = &[("weight", &shape[..]), ("bias", &shape[..1])];
            for (part, shape) in &parts[..if has_bias { 2 } else { 1 }] {
                let (gguf, name) = both(gguf, name, part);
                all.push(Wanted { heads, ..plain(&gguf, &name, shape) });
            }
        }
    }
    // As numbers in names sort: one order whatever the file's.
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
