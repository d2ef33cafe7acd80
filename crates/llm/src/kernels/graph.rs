//! Operations on Flex's memory as nodes of burn's autodiff graph.

use std::fmt;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, DispatchDevice, Flex};
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::matrix::View;

/// Whether operations on tensors of `device` can be those of this module.
pub(crate) fn on_flex(device: &Device) -> bool {
    matches!(device.clone().without_autodiff().as_dispatch(), DispatchDevice::Flex(_))
}

/// An input of an operation: its values, and its place in the graph when its gradient is wanted.
pub(super) struct Operand {
    /// Values, in whatever layout they have.
    pub tensor: FlexTensor,
    node: Option<NodeGuard>,
}

impl Operand {
    /// The primitive of a tensor on Flex.
    ///
    /// # Panics
    /// When the tensor is elsewhere or not f32.
    pub fn new<const D: usize>(tensor: Tensor<D>) -> Self {
        let operand = if tensor.is_autodiff() {
            let tensor = tensor.try_into_primitive::<Autodiff<Flex>>().expect("invariant: checked before");
            let tracked = tensor.is_tracked();
            let (tensor, node) = tensor.into_parts();
            Self { tensor, node: tracked.then_some(node) }
        } else {
            let tensor = tensor.try_into_primitive::<Flex>().expect("invariant: checked before");
            Self { tensor, node: None }
        };
        assert_eq!(operand.tensor.dtype(), DType::F32, "fused operations are for f32");
        operand
    }

    /// Values without a place in the graph.
    pub fn untracked(tensor: FlexTensor) -> Self {
        Self { tensor, node: None }
    }

    /// Whether its gradient is wanted.
    pub fn is_tracked(&self) -> bool {
        self.node.is_some()
    }

    /// The same with its values in row-major order.
    pub fn contiguous<const D: usize>(tensor: Tensor<D>) -> Self {
        let Self { tensor, node } = Self::new(tensor);
        Self { tensor: tensor.to_contiguous(), node }
    }
}

/// Values of a tensor in row-major order.
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("invariant: the tensor is contiguous f32")
}

/// A rank-2 tensor as a matrix.
pub(super) fn view(tensor: &FlexTensor) -> View<'_> {
    let layout = tensor.layout();
    let &[rows, columns] = layout.shape().as_slice() else { panic!("a matrix has rank 2") };
    let stride =
        |axis: usize| usize::try_from(layout.strides()[axis]).expect("invariant: no flipped tensors");
    let storage: &[f32] = tensor.storage();
    View::strided(&storage[layout.start_offset()..], [rows, columns], [stride(0), stride(1)])
}

/// A row-major tensor.
pub(super) fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

/// Gradients of the operands, in their order, from that of the result; those not wanted may be anything.
type Differentiate = dyn Fn(&FlexTensor, &[bool]) -> Vec<Option<FlexTensor>> + Send + Sync;

/// Result of an operation as a tensor, with `differentiate` for its backward pass when an operand is tracked.
pub(super) fn record<const D: usize>(
    operands: Vec<Operand>,
    result: FlexTensor,
    differentiate: impl Fn(&FlexTensor, &[bool]) -> Vec<Option<FlexTensor>> + Send + Sync + 'static,
) -> Tensor<D> {
    let wanted: Vec<bool> = operands.iter().map(|o| o.node.is_some()).collect();
    let nodes: Vec<NodeGuard> = operands.into_iter().filter_map(|o| o.node).collect();
    if nodes.is_empty() {
        return Tensor::from_primitive::<Flex>(result);
    }
    let state = State { wanted: wanted.into(), differentiate: Arc::new(differentiate) };
    macro_rules! by_count {
        ($($n:literal)*) => {
            match nodes.len() {
                $($n => join::<D, $n>(nodes, state, result),)*
                n => unreachable!("an operation with {n} tracked operands"),
            }
        };
    }
    by_count!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17)
}

fn join<const D: usize, const N: usize>(
    nodes: Vec<NodeGuard>,
    state: State,
    result: FlexTensor,
) -> Tensor<D> {
    let nodes = <[NodeGuard; N]>::try_from(nodes).expect("invariant: counted by the caller");
    let prepared = Backward::<Flex, N>::prepare::<NoCheckpointing>(Recorded, nodes).compute_bound();
    let tensor = match prepared.stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(state, result),
        OpsKind::UnTracked(prepared) => prepared.finish(result),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(tensor)
}

#[derive(Clone)]
struct State {
    wanted: Arc<[bool]>,
    differentiate: Arc<Differentiate>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Recorded;

impl<const N: usize> Backward<Flex, N> for Recorded {
    type State = State;

    fn backward(self, ops: Ops<State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let State { wanted, differentiate } = ops.state;
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let found = differentiate(&gradient, &wanted);
        let found = found.into_iter().zip(&*wanted).filter(|(_, wanted)| **wanted);
        for (node, (gradient, _)) in ops.parents.iter().flatten().zip(found) {
            let gradient = gradient.expect("invariant: an operation gives the gradients that are wanted");
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}
