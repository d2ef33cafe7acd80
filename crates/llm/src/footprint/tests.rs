use super::*;

use std::sync::Arc;

use burn::tensor::Device;

use crate::testing::tiny_config;
use crate::{Backbone, Body, LlmConfig, LoraSpec, TrainSpec};

#[test]
fn counts_are_those_of_the_tensors() {
    // Heads and sequence fill whole panels, which cached keys and values stand in.
    let config = LlmConfig { head_dim: 32, ..tiny_config(false) };
    let backbone = Arc::new(Backbone::random(&config, 1, &Device::flex()));
    let held: usize = backbone.digests().iter().map(|(name, _)| backbone.values(name).len()).sum();
    let lora = |rank| LoraSpec { rank, ..LoraSpec::default() };
    for (n, trainable, rank) in
        [(0, vec![], 0), (2, vec![], 0), (2, vec![], 4), (0, vec!["embedding", "norm"], 0)]
    {
        let trainable = trainable.into_iter().map(str::to_owned).collect();
        let spec = TrainSpec { n_trainable_layers: n, trainable, lora: lora(rank) };
        let footprint = Footprint::new(&config, &spec.plan(&config).unwrap(), rank, 32);
        assert_eq!(footprint.parameters, held);
        let body = Body::new(backbone.clone(), spec, 0).unwrap();
        assert_eq!(footprint.trainable, body.params().n_trainable());
        // Cached parts hold their ids beside the tensors.
        let part = body.encode_shared(&[1; 32]).unwrap();
        assert_eq!(32 * (footprint.prefix_bytes_per_token + F32), part.bytes());
    }
}
