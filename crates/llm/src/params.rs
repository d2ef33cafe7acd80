//! Ordered, named parameters: what PPO trains, saves and proves to have moved.
//!
//! Every parameter is a rank-2 tensor, so that clipping, optimiser and digests need no rank: a vector of `n` on disk
//! is `[1, n]` in memory. A linear layer's weight is `[d_out, d_in]` on disk, as in PyTorch, and `[d_in, d_out]` in
//! memory, so that `x.matmul(w)` reads it in order.

mod adam;
mod grads;

#[cfg(test)]
mod tests;

pub use adam::{Adam, AdamConfig};
pub use grads::GradSet;

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::LlmError;
use crate::checkpoint::{HostTensor, read_file, write_file};
use crate::digest::tensor_digest;
use crate::transpose::transpose;

/// Description and initial values of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct NewParam {
    /// Name in checkpoints.
    pub name: String,
    /// Group for gradient norms and receipts, for example `layers.3` or `policy_head`.
    pub group: String,
    /// Shape on disk, rank 1 or 2.
    pub shape: Vec<usize>,
    /// Values in on-disk order (row-major over `shape`).
    pub values: Vec<f32>,
    /// Whether memory holds the transpose of what disk holds.
    pub transposed: bool,
    /// Whether gradients are wanted.
    pub trainable: bool,
}

impl NewParam {
    /// A trainable weight of a linear layer: disk `[d_out, d_in]` (PyTorch), memory `[d_in, d_out]`.
    pub fn linear(name: &str, group: &str, [d_out, d_in]: [usize; 2], values: Vec<f32>) -> Self {
        Self {
            name: name.to_owned(),
            group: group.to_owned(),
            shape: vec![d_out, d_in],
            values,
            transposed: true,
            trainable: true,
        }
    }

    /// A trainable matrix that memory holds as disk does, for example an embedding `[vocab, d_model]`.
    pub fn matrix(name: &str, group: &str, [rows, columns]: [usize; 2], values: Vec<f32>) -> Self {
        Self {
            name: name.to_owned(),
            group: group.to_owned(),
            shape: vec![rows, columns],
            values,
            transposed: false,
            trainable: true,
        }
    }

    /// A trainable vector (bias, norm weight): disk `[n]`, memory `[1, n]`.
    pub fn vector(name: &str, group: &str, values: Vec<f32>) -> Self {
        Self {
            name: name.to_owned(),
            group: group.to_owned(),
            shape: vec![values.len()],
            values,
            transposed: false,
            trainable: true,
        }
    }

    /// The same parameter without gradients.
    pub fn frozen(mut self) -> Self {
        self.trainable = false;
        self
    }
}

/// One parameter of a [`ParamSet`].
#[derive(Debug, Clone)]
pub struct Param {
    name: String,
    group: String,
    shape: Vec<usize>,
    transposed: bool,
    trainable: bool,
    tensor: Tensor<2>,
}

impl Param {
    /// Name in checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Group for gradient norms and receipts.
    pub fn group(&self) -> &str {
        &self.group
    }
    /// Shape on disk.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    /// Whether it is a leaf of the graph.
    pub fn trainable(&self) -> bool {
        self.trainable
    }
    /// The tensor: an autodiff leaf when trainable, on the plain device when frozen. Cheap to clone.
    pub fn tensor(&self) -> Tensor<2> {
        self.tensor.clone()
    }
    /// The values without a graph.
    pub fn plain(&self) -> Tensor<2> {
        self.tensor.clone().inner()
    }
    /// Values in on-disk order.
    pub fn values(&self) -> Vec<f32> {
        let plain = self.plain();
        to_host(if self.transposed { plain.transpose() } else { plain })
    }
    fn n_values(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Named parameters in the order of their insertion.
#[derive(Debug, Clone)]
pub struct ParamSet {
    params: Vec<Param>,
    index: HashMap<String, usize>,
    device: Device,
}

/// Values of a [`ParamSet`] on the host, in its order and in on-disk layout.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot(Vec<Vec<f32>>);

impl ParamSet {
    /// No parameters yet; `device` may carry autodiff or not, trainable parameters get it anyway.
    pub fn new(device: &Device) -> Self {
        Self { params: Vec::new(), index: HashMap::new(), device: device.clone().without_autodiff() }
    }

    /// Adds a parameter.
    ///
    /// # Panics
    /// When the name is taken, the rank is not 1 or 2, or the number of values is not that of the shape: these are
    /// mistakes of the program, not of its input.
    pub fn insert(&mut self, new: NewParam) {
        let NewParam { name, group, shape, values, transposed, trainable } = new;
        assert!(!self.index.contains_key(&name), "parameter `{name}` exists already");
        assert!(matches!(shape.len(), 1 | 2), "parameter `{name}` has rank {}", shape.len());
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values of parameter `{name}`");
        let tensor = leaf(place(values, &shape, transposed, &self.device), trainable);
        self.index.insert(name.clone(), self.params.len());
        self.params.push(Param { name, group, shape, transposed, trainable, tensor });
    }

    /// Plain device of the parameters.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.params.iter()
    }

    /// Number of parameters (tensors).
    pub fn len(&self) -> usize {
        self.params.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
    }

    /// Number of trainable scalars.
    pub fn n_trainable(&self) -> usize {
        self.params.iter().filter(|p| p.trainable).map(Param::n_values).sum()
    }

    /// The parameter of that name.
    pub fn get(&self, name: &str) -> Option<&Param> {
        self.index.get(name).map(|i| &self.params[*i])
    }

    /// Tensor of the parameter of that name, see [`Param::tensor`].
    ///
    /// # Panics
    /// When there is none.
    pub fn tensor(&self, name: &str) -> Tensor<2> {
        self.get(name).unwrap_or_else(|| panic!("no parameter `{name}`")).tensor()
    }

    /// Takes the gradients of the trainable parameters out of a backward pass. A parameter that the loss did not
    /// touch has none.
    pub fn gradients(&self, gradients: &mut Gradients) -> GradSet {
        let grad = |p: &Param| if p.trainable { p.tensor.grad_remove(gradients) } else { None };
        GradSet::new(self.params.iter().map(grad).collect())
    }

    /// Replaces the values of one parameter, in on-disk order.
    ///
    /// # Panics
    /// When there is no such parameter or the number of values is another.
    pub fn set(&mut self, name: &str, values: Vec<f32>) {
        let i = *self.index.get(name).unwrap_or_else(|| panic!("no parameter `{name}`"));
        self.set_values(i, values);
    }

    /// The parameters that `keep` names, in the same order.
    pub fn filtered(&self, keep: impl Fn(&Param) -> bool) -> Self {
        let params: Vec<Param> = self.params.iter().filter(|p| keep(p)).cloned().collect();
        let index = params.iter().enumerate().map(|(i, p)| (p.name.clone(), i)).collect();
        Self { params, index, device: self.device.clone() }
    }

    /// Values of all parameters on the host.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.params.iter().map(Param::values).collect())
    }

    /// Puts back the values of a snapshot of this set.
    ///
    /// # Panics
    /// When the snapshot is of another set.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        assert_eq!(snapshot.0.len(), self.params.len(), "snapshot of another parameter set");
        for (i, values) in snapshot.0.iter().enumerate() {
            self.set_values(i, values.clone());
        }
    }

    /// `(name, digest)` of every parameter in order, see [`tensor_digest`].
    pub fn digests(&self) -> Vec<(String, String)> {
        let host: Vec<_> = self.params.iter().map(|p| (p, p.values())).collect();
        let digest = |(p, values): (&Param, Vec<f32>)| (p.name.clone(), tensor_digest(&p.shape, &values));
        host.into_iter().map(digest).collect()
    }

    /// Writes all parameters to a safetensors file (f32, names and shapes as on disk); an existing file is replaced
    /// in one rename.
    pub fn save(&self, path: &Path) -> Result<(), LlmError> {
        write_file(path, self.host_tensors())
    }

    /// Names and values of all parameters in order, in on-disk layout.
    pub fn host_tensors(&self) -> Vec<(String, HostTensor)> {
        self.params.iter().map(|p| (p.name.clone(), HostTensor::new(p.shape.clone(), p.values()))).collect()
    }

    /// Reads what [`ParamSet::save`] wrote. The file must hold exactly the parameters of this set; on an error
    /// nothing has changed.
    pub fn load(&mut self, path: &Path) -> Result<(), LlmError> {
        let wanted: Vec<_> = self.params.iter().map(|p| (p.name.clone(), p.shape.clone())).collect();
        let values = read_exactly(path, &wanted)?;
        for (i, values) in values.into_iter().enumerate() {
            self.set_values(i, values);
        }
        Ok(())
    }

    fn set_values(&mut self, i: usize, values: Vec<f32>) {
        let p = &self.params[i];
        assert_eq!(values.len(), p.n_values(), "values of parameter `{}`", p.name);
        let tensor = leaf(place(values, &p.shape, p.transposed, &self.device), p.trainable);
        self.params[i].tensor = tensor;
    }

    /// Adds `delta` (memory layout) to parameter `i`.
    #[cfg(test)]
    pub(crate) fn shift(&mut self, i: usize, delta: Tensor<2>) {
        self.set_plain(i, self.params[i].plain().add(delta));
    }

    /// Replaces a parameter's tensor after an optimiser step.
    fn set_plain(&mut self, i: usize, tensor: Tensor<2>) {
        let trainable = self.params[i].trainable;
        self.params[i].tensor = leaf(tensor, trainable);
    }
}

/// Tensors of a file in the order of `wanted`, which the file must match in names and shapes.
fn read_exactly(path: &Path, wanted: &[(String, Vec<usize>)]) -> Result<Vec<Vec<f32>>, LlmError> {
    let mut found = read_file(path)?;
    let mut values = Vec::with_capacity(wanted.len());
    for (name, shape) in wanted {
        let tensor = found.remove(name).ok_or_else(|| LlmError::tensor(path, name, "missing"))?;
        if tensor.shape != *shape {
            let problem = format!("expected shape {shape:?}, found {:?}", tensor.shape);
            return Err(LlmError::tensor(path, name, problem));
        }
        values.push(tensor.values);
    }
    match found.keys().min() {
        Some(unknown) => Err(LlmError::tensor(path, unknown, "not a parameter of this policy")),
        None => Ok(values),
    }
}

fn leaf(tensor: Tensor<2>, trainable: bool) -> Tensor<2> {
    if trainable { tensor.autodiff().require_grad() } else { tensor }
}

/// Values of a rank-2 tensor, row-major.
pub(crate) fn to_host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("invariant: f32 tensors can be read back")
}

fn place(values: Vec<f32>, shape: &[usize], transposed: bool, device: &Device) -> Tensor<2> {
    let [rows, columns] = match shape {
        [n] => [1, *n],
        [rows, columns] => [*rows, *columns],
        _ => unreachable!("rank is checked at insertion"),
    };
    if transposed {
        let values = transpose(&values, rows, columns);
        Tensor::from_data(TensorData::new(values, [columns, rows]), device)
    } else {
        Tensor::from_data(TensorData::new(values, [rows, columns]), device)
    }
}
