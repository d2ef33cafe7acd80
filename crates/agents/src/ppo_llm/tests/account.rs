//! Prompts without the account.

use super::*;

fn without_account(dir: &Path) -> Value {
    with(params(dir), "prompt.account", json!(false))
}

fn arm(params: &Value, n: u64, kl_coef: f64) -> Value {
    with(with(params.clone(), "n_trainable_layers", json!(n)), "kl_coef", json!(kl_coef))
}

#[test]
fn keeps_the_promises_of_agents_without_the_account() {
    let dir = model_dir();
    check_promises("ppo-llm", &arm(&without_account(dir.path()), 0, 0.1), 24);
    check_promises("ppo-llm", &arm(&without_account(dir.path()), 1, 0.1), 24);
}

/// Whatever arms there are, in whatever order they and their seeds come: a bar goes through the model once, for training,
/// evaluation, the policy before training and the baseline.
#[test]
fn every_bar_is_read_once_per_process() {
    let dir = model_dir();
    let params = without_account(dir.path());
    let training = masking_arena(reverting_market(1, 80), SplitName::Train);
    let test = masking_arena(reverting_market(2, 20), SplitName::Test);
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let shared = SharedPool::default();
        let build = |n: u64| {
            let parsed = serde_json::from_value(resolved("ppo-llm", arm(&params, n, 0.1))).unwrap();
            with_context(&shared, |context| PpoLlm::build(parsed, context)).unwrap()
        };
        let arms = order.map(build);
        let mut tokens = Vec::new();
        for seed in [1, 2] {
            for arm in &arms {
                let (mut learner, log) = train(arm, seed);
                decisions(&mut *learner, &test);
                let last = log.timings.last().unwrap();
                assert_eq!((last.cache_extended, last.cache_spilled, last.cache_recomputed), (0, 0, 0));
                tokens.push(last.cache_misses);
            }
        }
        // Standardised heads have read the training part before the first update.
        assert!(tokens[0] >= 79 && tokens[1..].iter().all(|misses| *misses <= 1), "{order:?}: {tokens:?}");
        let stats = arms[0].reader.cache_stats();
        assert_eq!((stats.extended, stats.recomputed), (0, 0));
        // Early bars of the two parts have prompts in common; the last one of each may be observed or not.
        let distinct = |leave: usize| {
            let prompts = [&training, &test].map(|arena| prompts(&arms[0], arena));
            let prompts = prompts.iter().flat_map(|prompts| &prompts[..prompts.len() - leave]);
            prompts.collect::<std::collections::HashSet<_>>().len() as u64
        };
        assert!((distinct(1)..=distinct(0)).contains(&stats.misses), "{order:?}: {stats:?}");
        assert_eq!(stats.entries as u64, stats.misses);
    }
}

/// Tokens of the prompts of all bars.
fn prompts(arm: &PpoLlm, arena: &Arena) -> Vec<Vec<u32>> {
    let mut envs = arena.evaluation();
    let mut prompts = vec![arm.reader.encoder().encode(&envs.observe(0)).unwrap().shared];
    while !envs.ended(0) {
        let action = envs.observe(0).mask.legal().next().unwrap();
        envs.step(0, action);
        prompts.push(arm.reader.encoder().encode(&envs.observe(0)).unwrap().shared);
    }
    prompts
}

/// No byte depends on room in the cache, on arms that came before, or on a run beside it.
#[test]
fn no_byte_depends_on_what_was_read_before() {
    let dir = model_dir();
    let run = |params: &Value, seed: u64, shared: &SharedPool| {
        let agent = try_agent("ppo-llm", params.clone(), shared).unwrap();
        let (learner, log) = train(&*agent, seed);
        (learner.receipt().unwrap(), log.steps, log.updates)
    };
    let shared = SharedPool::default();
    let params = without_account(dir.path());
    let arms = [arm(&params, 2, 0.1), arm(&params, 0, 0.1), arm(&params, 1, 0.0), arm(&params, 1, 0.1)];
    // What runs share lives as long as somebody holds it.
    let _held = try_agent("ppo-llm", arms[0].clone(), &shared).unwrap();
    for params in &arms {
        let alone = run(&with(params.clone(), "prefix_cache_mib", json!(0)), 1, &SharedPool::default());
        assert!(run(params, 1, &SharedPool::default()) == alone);
        assert!(run(params, 1, &shared) == alone);
        let fresh = SharedPool::default();
        let agent = try_agent("ppo-llm", params.clone(), &fresh).unwrap();
        let result = |seed| {
            let (learner, log) = train(&*agent, seed);
            (learner.receipt().unwrap(), log.steps, log.updates)
        };
        let (one, two) = std::thread::scope(|scope| {
            let one = scope.spawn(|| result(1));
            let two = result(2);
            (one.join().unwrap(), two)
        });
        assert!(one == alone && two != alone);
    }
}

/// The first update's KL is to the policy itself.
#[test]
fn the_policy_before_training_is_the_policy_at_first() {
    let dir = model_dir();
    for n in [0, 1] {
        let agent = agent("ppo-llm", arm(&without_account(dir.path()), n, 0.1));
        let (_, log) = train(&*agent, 1);
        let kl: Vec<f64> = log.updates.iter().map(|update| update.kl.unwrap()).collect();
        assert!(kl.iter().all(|kl| (-1e-6..0.5).contains(kl)) && kl.last() > kl.first(), "{n}: {kl:?}");
        assert!(log.updates.iter().all(|update| update.first_ratio_error < 1e-4));
    }
}

/// Heads alone need no keys and values for the KL penalty: every lookup is a prompt's.
#[test]
fn heads_alone_look_nothing_up_for_the_policy_before_training() {
    let dir = model_dir();
    for account in [true, false] {
        let params = with(params(dir.path()), "prompt.account", json!(account));
        let agent = agent("ppo-llm", arm(&params, 0, 0.1));
        let (learner, log) = train(&*agent, 1);
        let last = log.timings.last().unwrap();
        assert_eq!(last.cache_hits + last.cache_misses, learner.prompts().unwrap().encoded, "{account}");
    }
}
