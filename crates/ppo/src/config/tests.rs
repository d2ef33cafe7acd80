use super::*;

/// The paper's table: 346 updates of 40 steps, micro-batches of 4.
#[test]
fn the_papers_arithmetic() {
    let config = PpoConfig::default();
    assert_eq!(config.n_updates(1), 346);
    assert_eq!(config.micro_batch_size(), 4);
    assert!(config.check().is_empty());
    assert_eq!(config.learning_rates_at(0, 346), LearningRates { layers: 5e-4, heads: 5e-4 });
    assert!((config.learning_rates_at(345, 346).layers - 5e-4 / 346.0).abs() < 1e-12);
    let constant = PpoConfig { anneal_lr: false, ..config };
    assert_eq!(constant.learning_rates_at(345, 346), LearningRates { layers: 5e-4, heads: 5e-4 });
}

#[test]
fn both_learning_rates_are_lowered_alike() {
    let config = PpoConfig { head_learning_rate: Some(4e-3), ..PpoConfig::default() };
    assert_eq!(config.learning_rates_at(0, 4), LearningRates { layers: 5e-4, heads: 4e-3 });
    assert_eq!(config.learning_rates_at(3, 4), LearningRates { layers: 1.25e-4, heads: 1e-3 });
}

#[test]
fn relations_are_checked() {
    let config = PpoConfig { total_timesteps: 39, gradient_accumulation_steps: 33, ..PpoConfig::default() };
    let keys: Vec<_> = config.check().into_iter().map(|p| p.0).collect();
    assert_eq!(keys, ["total_timesteps", "gradient_accumulation_steps"]);
}

/// Every key has a description and a default in the schema: the generated reference shows them.
#[test]
fn the_schema_describes_every_key() {
    let schema = schemars::schema_for!(PpoConfig).to_value();
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(
        properties.len(),
        serde_json::to_value(PpoConfig::default()).unwrap().as_object().unwrap().len()
    );
    for (key, property) in properties {
        assert!(property["description"].is_string(), "{key}");
        assert!(property.get("default").is_some(), "{key}");
    }
    assert_eq!(properties["learning_rate"]["exclusiveMinimum"], 0.0);
}
