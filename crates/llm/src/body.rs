//! The body of a policy: a frozen language model whose top, or whose adapters, are trained.
//!
//! A sequence has two parts. The shared part (task, prices, news) is the same for every run that stands at the same
//! bar; the own part (account, memory) differs. [`Body::encode_shared`] and [`Body::encode_own`] carry both through
//! the layers below the boundary, where nothing is trained, so their results can be kept as long as the backbone, and
//! bodies with other boundaries can continue them; [`Body::forward`] goes on from there with gradients.

pub(crate) mod causal_lm;
mod merged;
mod parts;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, FloatDType, Tensor};

pub use self::merged::BodyDigest;
pub use self::parts::{EncodedSequence, SharedPart};
use crate::decoder::{Adapter, Geometry, Layer, Past, Product, Weight, rms_norm};
use crate::kernels::{Packed, on_flex, on_pool};
use crate::lora::Dropout;
use crate::names::{EMBEDDING, NORM, Projection, input_norm, layer_tensors, post_norm};
use crate::params::{NewParam, ParamSet, to_host};
use crate::peft::{Factors, LoraAdapter};
use crate::{Backbone, LlmError, LoraSpec, TrainPlan, TrainSpec, backbone, lora};

/// Tokens that are computed once for several sequences, at least.
const LEAST_COMMON: usize = 8;

/// A backbone with what one run trains of it.
#[derive(Debug, Clone)]
pub struct Body {
    backbone: Arc<Backbone>,
    spec: TrainSpec,
    plan: TrainPlan,
    boundary: usize,
    params: ParamSet,
    dropout: Option<Arc<Dropout>>,
}

impl Body {
    /// A body whose trained tensors start as the backbone's. `seed` draws the adapters.
    pub fn new(backbone: Arc<Backbone>, spec: TrainSpec, seed: u64) -> Result<Self, LlmError> {
        let plan = spec.plan(backbone.config())?;
        Ok(Self::with_plan(backbone, spec, plan, seed))
    }

    /// A body with given adapters on an otherwise frozen model.
    pub fn adapted(backbone: Arc<Backbone>, adapter: &LoraAdapter) -> Self {
        let mut plan = TrainPlan::frozen(backbone.config().num_hidden_layers);
        for (layer, projection) in adapter.factors.keys() {
            plan.adapted[*layer].push(*projection);
        }
        let spec = TrainSpec { n_trainable_layers: 0, trainable: Vec::new(), lora: adapter.spec() };
        let mut body = Self::with_plan(backbone, spec, plan, 0);
        for ((layer, projection), Factors { a, b }) in &adapter.factors {
            for (name, values) in lora::factor_names(*projection, *layer).into_iter().zip([a, b]) {
                body.params.set(&name, values.clone());
            }
        }
        body
    }

    /// Its adapters as they stand now; absent where nothing is adapted.
    pub fn adapter(&self) -> Option<LoraAdapter> {
        let mut factors = BTreeMap::new();
        for (layer, projections) in self.plan.adapted.iter().enumerate() {
            for projection in projections {
                let [a, b] = lora::factor_names(*projection, layer)
                    .map(|name| self.params.get(&name).expect("invariant: adapters are parameters").values());
                factors.insert((layer, *projection), Factors { a, b });
            }
        }
        let LoraSpec { rank, alpha, rank_stabilised, dropout, .. } = self.spec.lora;
        let base_digest = Some(self.backbone.digest().to_owned());
        (!factors.is_empty()).then_some(LoraAdapter {
            rank,
            alpha,
            rank_stabilised,
            dropout,
            factors,
            base_digest,
        })
    }

    fn with_plan(backbone: Arc<Backbone>, spec: TrainSpec, plan: TrainPlan, seed: u64) -> Self {
        let config = backbone.config();
        let mut params = ParamSet::new(backbone.device());
        if plan.embedding {
            let shape = [config.vocab_size, config.hidden_size];
            params.insert(NewParam::matrix(EMBEDDING, "embedding", shape, backbone.values(EMBEDDING)));
        }
        for layer in 0..config.num_hidden_layers {
            let group = format!("layers.{layer}");
            if plan.full[layer] {
                for (name, shape) in layer_tensors(config, layer) {
                    let values = backbone.values(&name);
                    params.insert(match shape[..] {
                        [d_out, d_in] => NewParam::linear(&name, &group, [d_out, d_in], values),
                        _ => NewParam::vector(&name, &group, values),
                    });
                }
            }
            for projection in &plan.adapted[layer] {
                for factor in lora::factors(config, &spec.lora, *projection, layer, seed) {
                    params.insert(factor);
                }
            }
        }
        if plan.norm {
            params.insert(NewParam::vector(NORM, "norm", backbone.values(NORM)));
        }
        let boundary = plan.boundary();
        let dropout = Dropout::new(&spec.lora, seed).map(Arc::new);
        Self { backbone, spec, plan, boundary, params, dropout }
    }

    /// A body on the same backbone that trains nothing.
    pub fn untrained(&self) -> Self {
        let spec = TrainSpec { n_trainable_layers: 0, trainable: Vec::new(), lora: LoraSpec::default() };
        let plan = TrainPlan::frozen(self.n_layers());
        Self::with_plan(self.backbone.clone(), spec, plan, 0)
    }

    /// The frozen model.
    pub fn backbone(&self) -> &Arc<Backbone> {
        &self.backbone
    }

    /// What is trained, as it was asked for.
    pub fn spec(&self) -> &TrainSpec {
        &self.spec
    }

    /// What is trained, per layer.
    pub fn plan(&self) -> &TrainPlan {
        &self.plan
    }

    /// First layer at or below which something is trained; the number of layers when nothing below the final norm is.
    pub fn boundary(&self) -> usize {
        self.boundary
    }

    /// The trained tensors. A policy adds its heads here, so that one norm clips and one optimiser moves all of them.
    pub fn params(&self) -> &ParamSet {
        &self.params
    }

    /// The trained tensors, to be moved.
    pub fn params_mut(&mut self) -> &mut ParamSet {
        &mut self.params
    }

    /// What own parts depend on, besides backbone and tokens: where they end, and whether the embedding is trained.
    pub(crate) fn cut(&self) -> (usize, bool) {
        (self.boundary, self.plan.embedding)
    }

    fn device(&self) -> &Device {
        self.backbone.device()
    }

    fn n_layers(&self) -> usize {
        self.plan.full.len()
    }

    /// Carries the shared part up to the boundary. Always computed as a batch of one, so that its bytes depend on
    /// nothing but tokens, boundary and backbone.
    pub fn encode_shared(&self, ids: &[u32]) -> Result<SharedPart, LlmError> {
        Ok(self.extend_shared(self.unread_after(0, ids)?, &[]))
    }

    /// A part that no layer has read yet and that follows `before` tokens.
    pub(crate) fn unread_after(&self, before: usize, ids: &[u32]) -> Result<SharedPart, LlmError> {
        self.backbone.check_tokens(before, ids)?;
        Ok(SharedPart::unread(ids))
    }

    /// The beginning of prompts that nothing but their rest continues: keys and values of all layers, and hidden states at
    /// this body's boundary. Where the embedding is trained, no layer has read it.
    pub fn encode_beginning(&self, ids: &[u32]) -> Result<SharedPart, LlmError> {
        let part = self.encode_shared(ids)?;
        Ok(if self.plan.embedding { part } else { self.untrained().extend_shared(part, &[]) })
    }

    /// Carries the rest of a whole prompt to this body's boundary and to the `expected` ones, in one pass from the deepest
    /// hidden states that there are below the first one that lacks. Always alone, like a shared part; of the last layer,
    /// the last row.
    pub(crate) fn extend_whole(
        &self,
        mut part: SharedPart,
        beginning: &SharedPart,
        expected: &[usize],
    ) -> SharedPart {
        let mut boundaries: Vec<usize> = expected.iter().copied().chain([self.boundary]).collect();
        boundaries.sort_unstable();
        boundaries.retain(|boundary| !part.hidden.contains_key(boundary));
        let ids = part.ids.clone();
        for boundary in boundaries {
            let (first, x) = match part.hidden.range(..boundary).next_back() {
                Some((first, x)) => (*first, x.clone()),
                None => (0, self.backbone.embed(&ids)),
            };
            part.hidden.insert(boundary, self.continued(&[(beginning, &ids)], first..boundary, x));
        }
        part
    }

    /// The sequence of a whole prompt, whose rest was [carried](Body::extend_whole) to this body's boundary.
    pub(crate) fn whole(&self, beginning: &SharedPart, rest: &SharedPart) -> EncodedSequence {
        let hidden = rest.hidden.get(&self.boundary).expect("a part that reaches the boundary");
        self.with_own(beginning, &rest.ids, hidden.clone())
    }

    /// Carries a part that a body of the same backbone has encoded up to this one's boundary, from the deepest hidden
    /// states at or below it. What the part held stays beside, and so do hidden states at the boundaries of `passing`
    /// on the way. A layer computes the same bytes from the same hidden states, so the result does not depend on where
    /// the part had come to.
    pub(crate) fn extend_shared(&self, part: SharedPart, passing: &[usize]) -> SharedPart {
        if self.is_covered_by(&part) {
            return part;
        }
        on_pool(self.work(part.ids.len(), self.boundary), || self.extend(part, passing))
    }

    /// Multiplications of `n_rows` rows in `n_layers` layers, about.
    fn work(&self, n_rows: usize, n_layers: usize) -> usize {
        n_rows * n_layers * self.backbone.config().layer_values()
    }

    fn extend(&self, mut part: SharedPart, passing: &[usize]) -> SharedPart {
        let config = self.backbone.config();
        let at = Geometry::row(self.backbone.rotary(), 0, part.ids.len(), self.device());
        let (first, mut x) = match self.start_in(&part) {
            Some((boundary, hidden)) => (boundary, hidden.clone()),
            None => (0, self.backbone.embed(&part.ids)),
        };
        for i in first..self.boundary {
            if passing.contains(&i) {
                part.hidden.insert(i, x.clone());
            }
            let layer = self.backbone.layer(i);
            if i + 1 == self.n_layers() {
                // Nobody reads the hidden states above the last layer, other than those of the own part.
                part.add_layer(i, || at.keep(layer.key_values(config, x, &at)));
                return part;
            }
            let (hidden, own) = layer.forward(config, x, &at, None);
            part.add_layer(i, || at.keep(own));
            x = hidden;
        }
        part.hidden.insert(self.boundary, x);
        part
    }

    /// Whether `part` holds all that this body reads of it.
    pub fn is_covered_by(&self, part: &SharedPart) -> bool {
        let to_last = self.boundary == self.n_layers();
        let has_hidden = to_last || part.hidden.contains_key(&self.boundary);
        self.plan.embedding || (part.past.len() >= self.boundary && has_hidden)
    }

    /// The deepest boundary at or below this body's at which `part` has hidden states, with them.
    pub(crate) fn start_in<'a>(&self, part: &'a SharedPart) -> Option<(usize, &'a Tensor<2>)> {
        part.hidden.range(..=self.boundary).next_back().map(|(boundary, hidden)| (*boundary, hidden))
    }

    /// Hidden states at the boundary that the trained layers read; absent where they read none.
    fn shared_hidden(&self, part: &SharedPart) -> Option<Tensor<2>> {
        let is_read = !self.plan.embedding && self.boundary < self.n_layers();
        is_read.then(|| part.hidden.get(&self.boundary).cloned().expect("a part that reaches the boundary"))
    }

    /// Carries the own part up to the boundary, with the shared part's keys and values.
    pub fn encode_own(&self, shared: &SharedPart, ids: &[u32]) -> Result<EncodedSequence, LlmError> {
        let mut encoded = self.encode_all(&[(shared, ids)])?;
        Ok(encoded.remove(0))
    }

    /// The sequence of an own part whose hidden states this body has computed before.
    pub(crate) fn with_own(
        &self,
        shared: &SharedPart,
        ids: &[u32],
        own_hidden: Tensor<2>,
    ) -> EncodedSequence {
        EncodedSequence { own_hidden: Some(own_hidden), ..self.unread_own(shared, ids) }
    }

    fn unread_own(&self, shared: &SharedPart, ids: &[u32]) -> EncodedSequence {
        EncodedSequence {
            shared_ids: shared.ids.clone(),
            shared_hidden: self.shared_hidden(shared),
            own_ids: ids.into(),
            own_hidden: None,
        }
    }

    /// Whether the bytes of an own part do not depend on the parts that are read with it.
    pub fn rows_are_independent(&self) -> bool {
        self.backbone.rotary().is_fused() && Packed::is_supported()
    }

    /// Checks that own parts are tokens of the model at positions that it has.
    pub(crate) fn check_own(&self, sequences: &[(&SharedPart, &[u32])]) -> Result<(), LlmError> {
        sequences.iter().try_for_each(|(shared, ids)| self.backbone.check_tokens(shared.ids.len(), ids))
    }

    /// The same for several sequences at once. Unless
    /// [rows are independent](Body::rows_are_independent), the bytes of an own part can depend on its companions, because
    /// a matrix library may choose another kernel for another number of rows: equal calls give equal bytes.
    ///
    /// # Panics
    /// When a shared part was encoded by a body with another boundary only.
    pub fn encode_all(&self, sequences: &[(&SharedPart, &[u32])]) -> Result<Vec<EncodedSequence>, LlmError> {
        self.check_own(sequences)?;
        let mut encoded: Vec<EncodedSequence> =
            sequences.iter().map(|(shared, ids)| self.unread_own(shared, ids)).collect();
        if self.plan.embedding || sequences.is_empty() {
            return Ok(encoded);
        }
        let ids: Vec<u32> = sequences.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        let x = self.continued(sequences, 0..self.boundary, self.backbone.embed(&ids));
        let mut first = 0;
        for sequence in &mut encoded {
            // One row per sequence when no layer is trained.
            let n = if self.boundary == self.n_layers() { 1 } else { sequence.own_ids.len() };
            sequence.own_hidden = Some(x.clone().narrow(0, first, n));
            first += n;
        }
        Ok(encoded)
    }

    /// What the backbone alone, with nothing trained, says of sequences that this body has encoded: hidden states of the
    /// last token after the final norm, `[batch, d]` in f32. `shared` are the same shared parts as an
    /// [untrained](Body::untrained) body reads them: with keys and values of the layers above the boundary, so that only
    /// the own tokens are carried through those. Equal to [`Body::forward_frozen`] before the first update up to float
    /// error.
    ///
    /// # Panics
    /// When a sequence was encoded by a body with another boundary, or the embedding is trained.
    pub fn forward_untrained(&self, shared: &[Arc<SharedPart>], batch: &[&EncodedSequence]) -> Tensor<2> {
        let hidden = |s: &EncodedSequence| s.own_hidden.clone().expect("a sequence of this body");
        let x = Tensor::cat(batch.iter().map(|s| hidden(s)).collect(), 0);
        let x = if self.boundary == self.n_layers() {
            x
        } else {
            let sequences: Vec<_> =
                shared.iter().zip(batch).map(|(part, s)| (&**part, &*s.own_ids)).collect();
            self.continued(&sequences, self.boundary..self.n_layers(), x)
        };
        rms_norm(x, self.backbone.norm(), self.backbone.config().rms_norm_eps).cast(FloatDType::F32)
    }

    /// Carries own parts, whose rows at the first of the layers are `x`, through frozen layers: hidden states of all rows,
    /// or of the last one of each sequence after the last layer.
    fn continued(
        &self,
        sequences: &[(&SharedPart, &[u32])],
        layers: Range<usize>,
        x: Tensor<2>,
    ) -> Tensor<2> {
        let lengths: Vec<_> = sequences.iter().map(|(shared, ids)| (shared.ids.len(), ids.len())).collect();
        let at = Geometry::continued(self.backbone.rotary(), &lengths, self.device());
        if self.backbone.rotary().is_fused() {
            let work = self.work(x.dims()[0], layers.len());
            return on_pool(work, || self.continue_at(x, sequences, layers, &at));
        }
        let is_last = layers.end == self.n_layers() && !layers.is_empty();
        let own: Vec<usize> = lengths.iter().map(|(_, own)| *own).collect();
        let x = self.continue_at(self.with_padding(x, &own, &at), sequences, layers, &at);
        if is_last { x } else { without_padding(x, &own, &at) }
    }

    /// Rows of sequences of these lengths with the padding before each that `at` asks for.
    fn with_padding(&self, x: Tensor<2>, lengths: &[usize], at: &Geometry) -> Tensor<2> {
        if lengths.iter().all(|n| at.padding(*n) == 0) {
            return x;
        }
        let d = x.dims()[1];
        let (mut pieces, mut first) = (Vec::with_capacity(2 * lengths.len()), 0);
        for n in lengths {
            let zeros = Tensor::<2>::zeros([at.padding(*n), d], self.device()).cast(self.backbone.dtype());
            pieces.extend((at.padding(*n) > 0).then_some(zeros));
            pieces.push(x.clone().narrow(0, first, *n));
            first += n;
        }
        Tensor::cat(pieces, 0)
    }

    fn continue_at(
        &self,
        mut x: Tensor<2>,
        sequences: &[(&SharedPart, &[u32])],
        layers: Range<usize>,
        at: &Geometry,
    ) -> Tensor<2> {
        let config = self.backbone.config();
        for i in layers {
            let layer = self.backbone.layer(i);
            let past: Vec<Past> = sequences.iter().map(|(shared, _)| shared.past[i].clone()).collect();
            x = if i + 1 == self.n_layers() {
                layer.forward_last(config, x, at, Some(&past))
            } else {
                layer.forward(config, x, at, Some(&past)).0
            };
        }
        x
    }

    /// Hidden states of the last token after the final norm, `[batch, d]` in f32, with the graph of the trained tensors.
    ///
    /// Backends without fused operations pad sequences, which changes a row by float error at most. The matrix library
    /// may choose another kernel for another number of rows, so the bytes of a row can depend on its companions: equal
    /// batches give equal bytes.
    ///
    /// # Panics
    /// When the batch is empty or a sequence was encoded by a body with another boundary.
    pub fn forward(&self, batch: &[EncodedSequence]) -> Tensor<2> {
        self.run(batch, true)
    }

    /// Whether it computes on a device with memory of its own rather than on the processor.
    pub fn is_on_accelerator(&self) -> bool {
        !on_flex(self.device())
    }

    /// Memory that the graph of [`Body::forward`] keeps for these sequences until the backward pass, in bytes, about.
    pub fn graph_bytes(&self, batch: &[&EncodedSequence]) -> usize {
        let config = self.backbone.config();
        let (d, q, kv) = (config.hidden_size, config.q_width(), config.kv_width());
        // Inputs of the norms and their results; queries, keys and values; what attention makes of them; gate, up and
        // their product.
        let per_token = 4 * d + 2 * (q + 2 * kv) + 2 * q + 3 * config.intermediate_size;
        let common = self.common(batch.iter().copied(), true);
        let tokens: usize = common + batch.iter().map(|sequence| sequence.n_tokens() - common).sum::<usize>();
        size_of::<f32>() * per_token * tokens * (self.n_layers() - self.boundary)
    }

    /// The same as [`Body::forward`], by the same code, without a graph: equal up to float error (about 1e-6), because
    /// some operations are fused outside of autodiff.
    pub fn forward_frozen(&self, batch: &[EncodedSequence]) -> Tensor<2> {
        let rows = batch.iter().map(EncodedSequence::n_tokens).sum();
        on_pool(self.work(rows, self.n_layers() - self.boundary), || self.run(batch, false))
    }

    fn run(&self, batch: &[EncodedSequence], graph: bool) -> Tensor<2> {
        assert!(!batch.is_empty(), "a batch has at least one row");
        let config = self.backbone.config();
        let x = if self.boundary == self.n_layers() {
            let rows = batch.iter().map(|s| s.own_hidden.clone().expect("a sequence of this body"));
            Tensor::cat(rows.collect(), 0)
        } else {
            let lengths: Vec<usize> = batch.iter().map(EncodedSequence::n_tokens).collect();
            let table = self.backbone.rotary();
            let common = self.common(batch.iter(), graph);
            let branching = Geometry::branching(table, common, &lengths);
            let at = branching.unwrap_or_else(|| Geometry::padded(table, &lengths, self.device()));
            let mut x = self.rows(batch, common, &at, graph);
            for i in self.boundary..self.n_layers() {
                let layer = self.layer(i, graph);
                x = if i + 1 == self.n_layers() {
                    layer.forward_last(config, x, &at, None)
                } else {
                    layer.forward(config, x, &at, None).0
                };
            }
            x
        };
        rms_norm(x, self.norm(graph), config.rms_norm_eps).cast(FloatDType::F32)
    }

    /// Words that the stream of adapters' dropout has given; `None` where nothing is dropped.
    pub fn dropout_drawn(&self) -> Option<u64> {
        self.dropout.as_ref().map(|dropout| dropout.drawn())
    }

    /// Lets the stream of adapters' dropout go on after that many words.
    pub fn dropout_go_on(&self, drawn: u64) {
        if let Some(dropout) = &self.dropout {
            dropout.go_on(drawn);
        }
    }

    /// Tokens with which all sequences begin, when computing them once for all pays. None where dropout draws for every
    /// sequence of a pass with a graph.
    fn common<'a>(
        &self,
        mut batch: impl ExactSizeIterator<Item = &'a EncodedSequence>,
        graph: bool,
    ) -> usize {
        let dropped = graph && self.dropout.is_some();
        if batch.len() < 2 || dropped || !self.backbone.rotary().is_fused() {
            return 0;
        }
        let Some(first) = batch.next() else { return 0 };
        let equal = |other: &EncodedSequence| {
            let pairs = first.shared_ids.iter().zip(&*other.shared_ids);
            pairs.take_while(|(a, b)| a == b).count()
        };
        let n = batch.map(equal).min().unwrap_or(0);
        if n < LEAST_COMMON { 0 } else { n }
    }

    /// Hidden states at the boundary of all sequences with their padding, or the first `common` positions of one before
    /// what follows in each: `[rows, d]`.
    fn rows(&self, batch: &[EncodedSequence], common: usize, at: &Geometry, graph: bool) -> Tensor<2> {
        let d = self.backbone.config().hidden_size;
        let mut pieces = Vec::with_capacity(3 * batch.len() + 1);
        let positions = |sequence: &EncodedSequence, range: Range<usize>, pieces: &mut Vec<Tensor<2>>| {
            let shared = sequence.shared_ids.len();
            if self.plan.embedding {
                let ids = sequence.shared_ids.iter().chain(&*sequence.own_ids).copied();
                let ids: Vec<u32> = ids.skip(range.start).take(range.len()).collect();
                pieces.push(backbone::lookup(self.param(EMBEDDING, graph), &ids, self.device()));
                return;
            }
            let hidden = sequence.shared_hidden.clone().expect("a sequence of this body");
            let end = range.end.min(shared);
            if range.start < end {
                pieces.push(hidden.narrow(0, range.start, end - range.start));
            }
            if range.end > shared {
                pieces.push(sequence.own_hidden.clone().expect("a sequence of this body"));
            }
        };
        if common > 0 {
            positions(&batch[0], 0..common, &mut pieces);
        }
        for sequence in batch {
            let pad = at.padding(sequence.n_tokens());
            if pad > 0 {
                pieces.push(Tensor::<2>::zeros([pad, d], self.device()).cast(self.backbone.dtype()));
            }
            positions(sequence, common..sequence.n_tokens(), &mut pieces);
        }
        Tensor::cat(pieces, 0)
    }

    fn param(&self, name: &str, graph: bool) -> Tensor<2> {
        let param = self.params.get(name).unwrap_or_else(|| panic!("`{name}` is not trained"));
        let tensor = if graph { param.tensor() } else { param.plain() };
        match self.backbone.dtype() {
            FloatDType::F32 => tensor,
            narrower => tensor.cast(narrower),
        }
    }

    fn norm(&self, graph: bool) -> Tensor<2> {
        if self.plan.norm { self.param(NORM, graph) } else { self.backbone.norm() }
    }

    /// Layer `i` with its trained tensors.
    fn layer(&self, i: usize, graph: bool) -> Layer {
        let mut layer = if self.plan.full[i] { self.full_layer(i, graph) } else { self.backbone.layer(i) };
        for projection in &self.plan.adapted[i] {
            let [a, b] = lora::factor_names(*projection, i).map(|name| self.param(&name, graph));
            let dropout = self.dropout.clone().filter(|_| graph);
            let adapter = Adapter { a, b, scale: self.spec.lora.scale() as f32, dropout };
            let slot = match projection {
                Projection::Q => &mut layer.qkv.adapters[0],
                Projection::K => &mut layer.qkv.adapters[1],
                Projection::V => &mut layer.qkv.adapters[2],
                Projection::O => &mut layer.o.adapters[0],
                Projection::Gate => &mut layer.gate_up.adapters[0],
                Projection::Up => &mut layer.gate_up.adapters[1],
                Projection::Down => &mut layer.down.adapters[0],
            };
            *slot = Some(adapter);
        }
        layer
    }

    fn full_layer(&self, i: usize, graph: bool) -> Layer {
        let config = self.backbone.config();
        let product = |projections: &[Projection]| Product {
            weights: projections.iter().map(|p| Weight::Tensor(self.param(&p.weight(i), graph))).collect(),
            biases: projections
                .iter()
                .filter(|p| p.has_bias(config))
                .map(|p| self.param(&p.bias(i), graph))
                .collect(),
            widths: projections.iter().map(|p| p.shape(config)[0]).collect(),
            adapters: projections.iter().map(|_| None).collect(),
        };
        Layer {
            input_norm: self.param(&input_norm(i), graph),
            qkv: product(&Projection::QKV),
            o: product(&[Projection::O]),
            post_norm: self.param(&post_norm(i), graph),
            gate_up: product(&Projection::GATE_UP),
            down: product(&[Projection::Down]),
        }
    }

    /// Layer `i` alone, with the graph of its trained tensors, for hidden states `[batch * seq, d]` of `batch` sequences
    /// from their first position on.
    pub fn layer_alone(&self, i: usize, x: Tensor<2>, batch: usize) -> Tensor<2> {
        let lengths = vec![x.dims()[0] / batch; batch];
        let at = Geometry::padded(self.backbone.rotary(), &lengths, self.device());
        self.layer(i, true).forward(self.backbone.config(), x, &at, None).0
    }

    /// Hidden states after the final norm of one sequence, `[ids, d]`, through every layer without cache or padding:
    /// the plain path that the others are checked against.
    pub fn hidden(&self, ids: &[u32]) -> Result<Tensor<2>, LlmError> {
        self.backbone.check_tokens(0, ids)?;
        let config = self.backbone.config();
        let at = Geometry::row(self.backbone.rotary(), 0, ids.len(), self.device());
        let mut x = match self.plan.embedding {
            true => backbone::lookup(self.param(EMBEDDING, false), ids, self.device()),
            false => self.backbone.embed(ids),
        };
        for i in 0..self.n_layers() {
            x = self.layer(i, false).forward(config, x, &at, None).0;
        }
        Ok(rms_norm(x, self.norm(false), config.rms_norm_eps).cast(FloatDType::F32))
    }

    /// Logits of the token after the last of `ids`, with what was trained.
    pub fn logits(&self, ids: &[u32]) -> Result<Vec<f32>, LlmError> {
        let hidden = self.hidden(ids)?;
        let last = hidden.narrow(0, ids.len() - 1, 1);
        Ok(to_host(match self.plan.embedding && self.backbone.config().tie_word_embeddings {
            true => {
                let head = self.param(EMBEDDING, false).transpose();
                last.cast(self.backbone.dtype()).matmul(head).cast(FloatDType::F32)
            }
            false => self.backbone.lm_head(last),
        }))
    }
}

/// The inverse of [`Body::with_padding`].
fn without_padding(x: Tensor<2>, lengths: &[usize], at: &Geometry) -> Tensor<2> {
    if lengths.iter().all(|n| at.padding(*n) == 0) {
        return x;
    }
    let mut end = 0;
    let mut own = |n: &usize| {
        end += at.padding(*n) + n;
        x.clone().narrow(0, end - n, *n)
    };
    Tensor::cat(lengths.iter().map(&mut own).collect(), 0)
}
