use plugin::SharedPool;
use ppo::Policy;
use prompt::Tokenizer;
use serde_json::{Value, json};
use trading_env::{Action, SplitName};

use super::*;
use crate::ppo_llm::testing::{model_dir, prompt_config};
use crate::testing::*;

fn params(dir: &std::path::Path) -> Value {
    json!({ "model": { "path": dir, "weights": "random", "weights_seed": 5 }, "prompt": prompt_config() })
}

#[test]
fn keeps_the_promises_of_agents() {
    let dir = model_dir();
    for rule in ["argmax", "sample"] {
        let mut params = params(dir.path());
        params["action_at_test"] = json!(rule);
        check_promises(KIND, &params, 24);
    }
}

#[test]
fn beginnings_are_asked_once_and_scores_are_sums() {
    let words = Words::new([vec![7, 8], vec![7, 9, 1], vec![4]]);
    assert_eq!(words.beginnings, [vec![], vec![7], vec![7, 9]]);
    // ln p(token | beginning), by hand.
    let table = |row: usize, id: u32| match (row, id) {
        (0, 7) => -1.0,
        (1, 8) => -0.25,
        (1, 9) => -2.0,
        (2, 1) => -0.5,
        (0, 4) => -3.0,
        other => panic!("{other:?} is not asked for"),
    };
    assert_eq!(words.scores(table), [-1.25, -3.5, -3.0]);
}

/// The same numbers by whole prompts without cache, one logits call per token.
#[test]
fn scores_are_those_of_the_whole_prompt() {
    for account in [true, false] {
        scores_are_those_of_the_whole(account);
    }
}

fn scores_are_those_of_the_whole(account: bool) {
    let dir = model_dir();
    let mut given = params(dir.path());
    given["prompt"]["account"] = json!(account);
    let params: ZeroShotParams = serde_json::from_value(resolved(KIND, given)).unwrap();
    let arena = arena(reverting_market(1, 24), SplitName::Test);
    let mut envs = arena.evaluation();
    let tokenizer = Tokenizer::from_file(&dir.path().join("tokenizer.json")).unwrap();

    let agent = agent(KIND, serde_json::to_value(&params).unwrap());
    let mut learner = agent.learner(1).unwrap();
    let config = llm::LlmConfig::read(dir.path()).unwrap();
    let backbone = llm::Backbone::random(&config, 5, &burn::tensor::Device::flex());
    let encoder = prompt::Encoder::new(params.prompt.clone(), tokenizer.clone());
    let mut asked_for_several_tokens = false;
    for _ in 0..6 {
        let observation = envs.observe(0);
        let encoded = encoder.encode(&observation).unwrap();
        let scores = params.prompt.answers().map(|word| {
            let mut ids: Vec<u32> = encoded.shared.iter().chain(&encoded.own).copied().collect();
            let tokens = tokenizer.encode_more(word).unwrap();
            asked_for_several_tokens |= tokens.len() > 1;
            let mut score = 0.0;
            for id in tokens {
                let logits: Vec<f64> = backbone.logits(&ids).unwrap().into_iter().map(f64::from).collect();
                let sum: f64 = logits.iter().map(|l| l.exp()).sum();
                score += logits[id as usize] - sum.ln();
                ids.push(id);
            }
            score
        });
        let policy = Policy::new(scores.map(|s| s as f32), observation.mask);
        let decision = learner.decide(&[observation]).unwrap()[0];
        assert_eq!(decision.action, policy.argmax());
        let expected = policy.log_prob(decision.action);
        assert!((f64::from(decision.log_prob.unwrap()) - expected).abs() < 1e-4, "{decision:?} {expected}");
        assert_eq!(decision.value, None);
        envs.step(0, Action::Hold);
    }
    assert!(asked_for_several_tokens, "the tokenizer of the test splits words");
}

/// Without the account, a bar that one seed has asked about is not read for another.
#[test]
fn seeds_share_what_was_read_without_the_account() {
    let dir = model_dir();
    let mut params = params(dir.path());
    params["prompt"]["account"] = json!(false);
    let shared = SharedPool::default();
    let parsed: ZeroShotParams = serde_json::from_value(resolved(KIND, params.clone())).unwrap();
    let model = with_context(&shared, |context| {
        Model::open(&parsed.model, &burn::tensor::Device::flex(), parsed.train_dtype, context).unwrap()
    });
    let limits = with_context(&shared, |context| parsed.cache.limits(KIND, context).unwrap());
    let reader = Reader::new(&parsed.prompt, &model, limits, &shared).unwrap();
    let agent = try_agent(KIND, params, &shared).unwrap();
    let arena = arena(reverting_market(1, 24), SplitName::Test);
    let made = [1, 2].map(|seed| {
        let made = decisions(&mut *agent.learner(seed).unwrap(), &arena);
        (made, reader.cache_stats().misses)
    });
    assert_eq!(made[0], made[1], "the second seed computes nothing and decides the same");
    assert!(made[0].1 >= 23);
}

#[test]
fn shares_the_model_with_the_trained_agent() {
    let dir = model_dir();
    let shared = SharedPool::default();
    let _asked = try_agent(KIND, params(dir.path()), &shared).unwrap();
    let _trained = try_agent("ppo-llm", params(dir.path()), &shared).unwrap();
    let error = try_agent(KIND, json!({ "model": { "path": "no/such" } }), &shared).err().unwrap();
    assert!(error.to_string().contains("no/such"), "{error}");
}
