//! A parameter struct with everything that parameter structs have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All of it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Everything {
    /// A rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// A share.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
    /// A count.
    #[schemars(range(min = 1))]
    pub num_steps: usize,
    /// A small one.
    pub small: u8,
    /// A 32-bit one.
    pub medium: u32,
    /// A signed one.
    pub offset: i32,
    /// A switch.
    pub anneal: bool,
    /// Perhaps a bound.
    #[schemars(range(min = 0.0))]
    pub target_kl: Option<f64>,
    /// Plain choices.
    pub size: Size,
    /// Explained choices.
    pub scale: Scale,
    /// Perhaps a choice.
    pub maybe_size: Option<Size>,
    /// Names.
    #[schemars(length(min = 1))]
    pub names: Vec<String>,
    /// A pair.
    pub range: [f64; 2],
    /// Nested.
    pub inner: Inner,
    /// Perhaps nested.
    pub maybe_inner: Option<Inner>,
    /// Tagged.
    pub model: Model,
    /// By name.
    pub weights: std::collections::BTreeMap<String, f64>,
    /// Where to write.
    #[schemars(extend("x-unhashed" = true))]
    pub folder: String,
    /// From outside.
    #[serde(flatten)]
    pub shared: Shared,
}

/// Choices without words.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    Small,
    VeryLarge,
}

/// Choices with words.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// As it is.
    Plain,
    /// In logarithms.
    Log,
}

/// Inner.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Inner {
    /// Rank.
    #[schemars(range(max = 64))]
    pub rank: usize,
    /// Scale.
    pub alpha: f64,
    /// Threads.
    #[schemars(extend("x-unhashed" = true))]
    pub threads: usize,
}

impl Default for Inner {
    fn default() -> Self {
        Self { rank: 0, alpha: 16.0, threads: 1 }
    }
}

/// Tagged.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "lowercase", deny_unknown_fields)]
pub enum Model {
    /// Weights from a folder.
    Checkpoint {
        /// Folder.
        path: String,
    },
    /// Weights at random.
    Random {
        /// Layers.
        #[serde(default = "four")]
        n_layers: usize,
        /// Width.
        #[serde(default = "four")]
        width: usize,
    },
}

fn four() -> usize {
    4
}

/// Shared.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Shared {
    /// Discount.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub gamma: f64,
}

impl Default for Shared {
    fn default() -> Self {
        Self { gamma: 0.99 }
    }
}

impl Default for Everything {
    fn default() -> Self {
        Self {
            learning_rate: 3e-4,
            share: 0.5,
            num_steps: 64,
            small: 1,
            medium: 2,
            offset: -1,
            anneal: true,
            target_kl: None,
            size: Size::Small,
            scale: Scale::Plain,
            maybe_size: None,
            names: vec!["a".to_owned()],
            range: [0.0, 1.0],
            // Another rank than `Inner` has by itself: the whole table's default counts.
            inner: Inner { rank: 8, ..Inner::default() },
            maybe_inner: None,
            model: Model::Random { n_layers: 2, width: 4 },
            weights: Default::default(),
            folder: "out".to_owned(),
            shared: Shared::default(),
        }
    }
}
