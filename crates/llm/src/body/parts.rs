//! What the frozen layers leave of a sequence.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::decoder::Past;

/// The shared part of a sequence as frozen layers have read it, at one boundary or several; or the rest of a prompt that
/// nothing continues, without keys and values. Depends on its tokens, those before them and the backbone alone.
#[derive(Debug, Clone)]
pub struct SharedPart {
    pub(super) ids: Arc<[u32]>,
    /// Keys and values of the layers from the first one on, each of all `ids`.
    pub(super) past: Vec<Past>,
    /// Hidden states by boundary, the layer that reads them: `[ids, d]`. Above the last layer nobody reads those of a
    /// shared part, and of the rest of a prompt only the last row.
    pub(super) hidden: BTreeMap<usize, Tensor<2>>,
}

/// A sequence at the boundary, as [`Body::forward`](super::Body::forward) takes it. Holds no keys and values: a
/// rollout keeps its sequences until the update is over, and a cached part that is evicted meanwhile is to be freed.
#[derive(Debug, Clone)]
pub struct EncodedSequence {
    /// Tokens of the shared part.
    pub(super) shared_ids: Arc<[u32]>,
    /// Its hidden states, `[ids, d]`; absent when no trained layer reads them or the embedding is trained.
    pub(super) shared_hidden: Option<Tensor<2>>,
    /// Tokens of the own part.
    pub(super) own_ids: Arc<[u32]>,
    /// Its hidden states: `[ids, d]`, or `[1, d]`, the last position's, when no layer is trained; absent when the
    /// embedding is trained.
    pub(super) own_hidden: Option<Tensor<2>>,
}

/// Number formats by the names that safetensors has for them.
const FORMATS: [(DType, Dtype); 3] =
    [(DType::F32, Dtype::F32), (DType::F16, Dtype::F16), (DType::BF16, Dtype::BF16)];

impl SharedPart {
    /// Tokens that no layer has read yet.
    pub(super) fn unread(ids: &[u32]) -> Self {
        Self { ids: ids.into(), past: Vec::new(), hidden: BTreeMap::new() }
    }

    /// Its tokens.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Layers that have read it.
    pub(crate) fn n_layers(&self) -> usize {
        let deepest = self.hidden.last_key_value().map_or(0, |(boundary, _)| *boundary);
        self.past.len().max(deepest)
    }

    /// Keys and values, by layer.
    #[cfg(test)]
    pub(crate) fn past(&self) -> &[Past] {
        &self.past
    }

    /// Whether it holds hidden states at a boundary.
    pub(crate) fn has_hidden(&self, boundary: usize) -> bool {
        self.hidden.contains_key(&boundary)
    }

    /// Memory of its tensors and tokens, in bytes.
    pub fn bytes(&self) -> usize {
        let past = self.past.iter().map(Past::bytes).sum::<usize>();
        past + self.hidden.values().map(size).sum::<usize>() + size_of_val(&*self.ids)
    }

    /// What a body with this boundary of so many layers would have encoded alone.
    #[cfg(test)]
    pub(crate) fn only_for(&self, body: &super::Body) -> Self {
        let mut part = self.clone();
        part.past.truncate(body.boundary);
        part.hidden.retain(|boundary, _| *boundary == body.boundary);
        part
    }

    /// Number of its tensors.
    pub(crate) fn n_tensors(&self) -> usize {
        Past::TENSORS * self.past.len() + self.hidden.len()
    }

    /// Keys and values of the next layer; those of a layer that it holds are the same and stay.
    pub(super) fn add_layer(&mut self, i: usize, past: impl FnOnce() -> Past) {
        if i == self.past.len() {
            self.past.push(past());
        }
    }

    /// Its tensors as a file in safetensors format, `past.LAYER.INDEX` and `hidden.BOUNDARY`; none when they cannot be
    /// read back from their device.
    pub(crate) fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut tensors = Vec::with_capacity(self.n_tensors());
        for (layer, past) in self.past.iter().enumerate() {
            for (i, data) in past.to_data()?.into_iter().enumerate() {
                tensors.push((past_name(layer, i), data));
            }
        }
        for (boundary, tensor) in &self.hidden {
            tensors.push((format!("{HIDDEN}{boundary}"), tensor.try_to_data().ok()?));
        }
        let views: Vec<_> = tensors.iter().map(view).collect::<Option<_>>()?;
        safetensors::serialize(views, None).ok()
    }

    /// The part of `ids` that [`SharedPart::to_bytes`] gave these bytes of, with equal bytes in its tensors; none when
    /// they are not such a file.
    pub(crate) fn from_bytes(ids: &[u32], bytes: &[u8], device: &Device) -> Option<Self> {
        let file = SafeTensors::deserialize(bytes).ok()?;
        let mut part = Self::unread(ids);
        loop {
            let layer = part.past.len();
            let parts: Vec<_> = (0..).map_while(|i| data(&file, &past_name(layer, i))).collect();
            if parts.is_empty() {
                break;
            }
            part.past.push(Past::from_data(parts, device)?);
        }
        for name in file.names() {
            if let Some(boundary) = name.strip_prefix(HIDDEN) {
                part.hidden.insert(boundary.parse().ok()?, tensor(&file, name, device)?);
            }
        }
        Some(part)
    }
}

impl EncodedSequence {
    /// Hidden states of its own part, where the body has read it.
    pub(crate) fn own_hidden(&self) -> Option<&Tensor<2>> {
        self.own_hidden.as_ref()
    }

    /// Tokens of the shared part.
    pub fn shared_ids(&self) -> &[u32] {
        &self.shared_ids
    }

    /// Tokens of the own part.
    pub fn own_ids(&self) -> &[u32] {
        &self.own_ids
    }

    /// Number of tokens of both parts.
    pub fn n_tokens(&self) -> usize {
        self.shared_ids.len() + self.own_ids.len()
    }
}

const HIDDEN: &str = "hidden.";

fn past_name(layer: usize, i: usize) -> String {
    format!("past.{layer}.{i}")
}

/// Bytes of a tensor's numbers.
fn size<const D: usize>(tensor: &Tensor<D>) -> usize {
    tensor.shape().num_elements() * tensor.dtype().size()
}

fn view((name, data): &(String, TensorData)) -> Option<(&str, TensorView<'_>)> {
    let (_, format) = FORMATS.into_iter().find(|(dtype, _)| *dtype == data.dtype())?;
    let view = TensorView::new(format, data.shape().as_slice().to_vec(), data.as_bytes()).ok()?;
    Some((name, view))
}

fn data(file: &SafeTensors<'_>, name: &str) -> Option<TensorData> {
    let view = file.tensor(name).ok()?;
    let (dtype, _) = FORMATS.into_iter().find(|(_, format)| *format == view.dtype())?;
    Some(TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype))
}

fn tensor<const D: usize>(file: &SafeTensors<'_>, name: &str, device: &Device) -> Option<Tensor<D>> {
    let data = data(file, name).filter(|data| data.shape().len() == D)?;
    // With the type named, numbers stay as they are; without it they would be converted to the device's own.
    let dtype = data.dtype();
    Some(Tensor::from_data(data, (device, dtype)))
}
