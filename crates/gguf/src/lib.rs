//! GGUF files of llama.cpp, read into model folders in Hugging Face layout.
//!
//! [`Model::open`] checks a whole file before anything is written: its header against its size, its architecture, its
//! tensors against the shapes that its metadata state, its tokenizer. [`Model::write`] dequantises one piece of a tensor
//! after the other, so that memory does not grow with the model. Whatever this crate does not know is refused by name,
//! since a key that is ignored could be one that changes the computation.
//!
//! The layout of files and blocks is that of `ggml` (`docs/gguf.md`, `ggml-common.h` there); values are computed in f32
//! by the formulas of its `dequantize_row_*`. llama.cpp's loader says what keys mean: `src/llama-model.cpp`,
//! `src/llama-vocab.cpp`.

mod config;
mod dequantise;
mod error;
mod file;
mod model;
mod names;
mod reader;
mod rope;
mod safetensors;
#[cfg(test)]
mod testing;
mod tokenizer;
mod value;

pub use dequantise::TensorType;
pub use error::GgufError;
pub use model::Model;
pub use safetensors::StoredType;
