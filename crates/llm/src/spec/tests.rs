use super::*;

fn config(layers: usize) -> LlmConfig {
    let value = serde_json::json!({ "model_type": "llama", "num_hidden_layers": layers });
    LlmConfig::from_json(&value, std::path::Path::new("config.json")).unwrap()
}

fn spec(n: usize, trainable: &[&str], rank: usize, layers: &[&str]) -> TrainSpec {
    let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
    TrainSpec {
        n_trainable_layers: n,
        trainable: own(trainable),
        lora: LoraSpec { rank, layers: own(layers), ..LoraSpec::default() },
    }
}

/// `(norm, fully trained layers, adapted layers, boundary)` of a spec on four layers.
fn summary(spec: &TrainSpec) -> (bool, Vec<usize>, Vec<usize>, usize) {
    let plan = spec.plan(&config(4)).unwrap();
    let full = (0..4).filter(|i| plan.full[*i]).collect();
    let adapted = (0..4).filter(|i| !plan.adapted[*i].is_empty()).collect();
    (plan.norm, full, adapted, plan.boundary())
}

#[test]
fn the_combinations_of_the_design() {
    assert_eq!(summary(&spec(0, &[], 0, &[])), (false, vec![], vec![], 4), "heads only");
    assert_eq!(summary(&spec(2, &[], 0, &[])), (true, vec![2, 3], vec![], 2));
    assert_eq!(summary(&spec(4, &[], 0, &[])), (true, vec![0, 1, 2, 3], vec![], 0));
    assert_eq!(summary(&spec(2, &[], 4, &[])), (false, vec![], vec![2, 3], 2), "adapters instead");
    assert_eq!(
        summary(&spec(1, &[], 4, &["0-1"])),
        (true, vec![3], vec![0, 1], 0),
        "lora.layers names others"
    );
    assert_eq!(summary(&spec(0, &[], 4, &["1"])), (false, vec![], vec![1], 1));
    assert_eq!(
        summary(&spec(4, &["layers.1-2"], 0, &[])),
        (false, vec![1, 2], vec![], 1),
        "groups replace n"
    );
    assert_eq!(summary(&spec(4, &["norm"], 0, &[])), (true, vec![], vec![], 4));
    assert_eq!(summary(&spec(0, &["norm", "layers.3"], 4, &[])), (true, vec![], vec![3], 3));
    assert_eq!(summary(&spec(0, &["embedding"], 0, &[])), (false, vec![], vec![], 0));
}

#[test]
fn only_the_named_projections_are_adapted() {
    let mut spec = spec(1, &[], 4, &[]);
    spec.lora.targets = vec![Projection::V, Projection::Q, Projection::V];
    assert_eq!(spec.plan(&config(4)).unwrap().adapted[3], [Projection::Q, Projection::V]);
}

#[test]
fn scale() {
    let mut lora = LoraSpec { rank: 4, alpha: 8.0, ..LoraSpec::default() };
    assert_eq!(lora.scale(), 2.0);
    lora.rank_stabilised = true;
    assert_eq!(lora.scale(), 4.0);
}

#[test]
fn impossible_specs_are_errors_that_name_their_key() {
    for (spec, expected) in [
        (spec(5, &[], 0, &[]), "n_trainable_layers: expected 0 to 4, the model's layers, found 5"),
        (spec(0, &["layers.2-4"], 0, &[]), "trainable: expected layers 0 to 3, found \"layers.2-4\""),
        (spec(0, &["layer.2"], 0, &[]), "trainable: expected embedding, layers.N, layers.N-M or norm"),
        (spec(0, &["layers.3-1"], 0, &[]), "trainable: expected N or N-M with N <= M, found \"3-1\""),
        (spec(0, &["lm_head"], 0, &[]), "nothing would train it"),
        (spec(0, &[], 4, &["2-9"]), "lora.layers: expected layers 0 to 3, found \"2-9\""),
        (
            spec(2, &[], 4, &["1-2"]),
            "`model.layers.2.self_attn.q_proj.weight` would be both adapted and trained",
        ),
        (spec(0, &[], 4, &[]), "lora.rank: found 4, but no layer to adapt"),
        (spec(2, &["norm"], 4, &[]), "lora.rank: found 4, but no layer to adapt"),
        (spec(2, &[], 0, &["1"]), "lora.layers: found [\"1\"] with lora.rank 0"),
    ] {
        let text = spec.plan(&config(4)).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_spec_reads_as_it_is_written_and_refuses_unknown_keys() {
    let text = r#"{"n_trainable_layers": 1, "lora": {"rank": 4, "targets": ["q", "down"]}}"#;
    let spec: TrainSpec = serde_json::from_str(text).unwrap();
    assert_eq!(spec.lora.targets, [Projection::Q, Projection::Down]);
    assert_eq!(spec.lora.alpha, 8.0);
    assert!(serde_json::from_str::<TrainSpec>(r#"{"n_trainable": 1}"#).is_err());
}
