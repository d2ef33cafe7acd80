use super::*;

fn write_raw(path: &Path, tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)]) {
    let views: Vec<_> = tensors
        .iter()
        .map(|(name, dtype, shape, data)| (*name, TensorView::new(*dtype, shape.clone(), data).unwrap()))
        .collect();
    safetensors::serialize_to_file(views, None, path).unwrap();
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn half_types_are_widened_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let values = [1.0f32, -0.5, 65504.0];
    let f16s = values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
    // 65504 needs 11 bits of mantissa, bf16 has 8: it rounds to 65536.
    let bf16s = values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
    write_raw(
        &dir.path().join(SINGLE),
        &[("a", Dtype::F16, vec![3], f16s), ("b", Dtype::BF16, vec![3, 1], bf16s)],
    );
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(checkpoint.read("a", &[3]).unwrap(), values);
    assert_eq!(checkpoint.read("b", &[3, 1]).unwrap(), [1.0, -0.5, 65536.0]);
}

#[test]
fn a_sharded_checkpoint_is_one() {
    let dir = tempfile::tempdir().unwrap();
    write_raw(&dir.path().join("m-1.safetensors"), &[("a", Dtype::F32, vec![2], f32s(&[1.0, 2.0]))]);
    write_raw(&dir.path().join("m-2.safetensors"), &[("b", Dtype::F32, vec![1], f32s(&[3.0]))]);
    let index = r#"{"metadata": {}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}"#;
    std::fs::write(dir.path().join(INDEX), index).unwrap();
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    assert_eq!(checkpoint.read("a", &[2]).unwrap(), [1.0, 2.0]);
    assert_eq!(checkpoint.read("b", &[1]).unwrap(), [3.0]);
    assert!(checkpoint.file_of("b").ends_with("m-2.safetensors"));
}

#[test]
fn errors_name_file_and_tensor() {
    let dir = tempfile::tempdir().unwrap();
    let error = |dir: &Path| Checkpoint::open(dir).err().unwrap().to_string();
    assert!(error(dir.path()).contains("expected model.safetensors or model.safetensors.index.json"));

    std::fs::write(dir.path().join(SINGLE), b"not a header").unwrap();
    let text = error(dir.path());
    assert!(text.contains("model.safetensors: not a safetensors file"), "{text}");

    write_raw(
        &dir.path().join(SINGLE),
        &[("w", Dtype::F32, vec![2], f32s(&[1.0, 2.0])), ("i", Dtype::I32, vec![1], vec![0; 4])],
    );
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    let text = checkpoint.read("w", &[3]).unwrap_err().to_string();
    assert!(text.ends_with("model.safetensors: tensor `w`: expected shape [3], found [2]"), "{text}");
    let text = checkpoint.read("v", &[3]).unwrap_err().to_string();
    assert!(text.ends_with("model.safetensors: tensor `v`: missing"), "{text}");
    let text = checkpoint.read("i", &[1]).unwrap_err().to_string();
    assert!(text.contains("`i`: expected type F32, F16 or BF16, found I32"), "{text}");
}

#[test]
fn an_index_that_disagrees_with_its_shards_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    write_raw(&dir.path().join("m.safetensors"), &[("a", Dtype::F32, vec![1], f32s(&[1.0]))]);
    for (index, expected) in [
        (r#"{"weight_map": {"a": "m.safetensors", "b": "m.safetensors"}}"#, "`b`: missing"),
        (r#"{"weight_map": {"b": "m.safetensors"}}"#, "`a`: not listed"),
        (r#"{"weight_map": {"a": "../m.safetensors"}}"#, "shard names without folders"),
        (r#"{"weight_map": {"a": "gone.safetensors"}}"#, "gone.safetensors"),
        (r#"{"weight_map": "#, "index.json"),
    ] {
        std::fs::write(dir.path().join(INDEX), index).unwrap();
        let text = Checkpoint::open(dir.path()).err().unwrap().to_string();
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_truncated_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(SINGLE);
    write_file(&path, vec![("a".to_owned(), HostTensor::new(vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]))]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
    assert!(Checkpoint::open(dir.path()).err().unwrap().to_string().contains("model.safetensors"));
    assert!(read_file(&path).is_err());
}

#[test]
fn equal_tensors_give_equal_files() {
    let dir = tempfile::tempdir().unwrap();
    let tensors = || {
        let tensor = |x: f32| HostTensor::new(vec![1, 2], vec![x, -x]);
        vec![("b".to_owned(), tensor(2.0)), ("a".to_owned(), tensor(1.0))]
    };
    write_file(&dir.path().join("1"), tensors()).unwrap();
    write_file(&dir.path().join("2"), tensors().into_iter().rev().collect()).unwrap();
    assert_eq!(std::fs::read(dir.path().join("1")).unwrap(), std::fs::read(dir.path().join("2")).unwrap());
    assert_eq!(read_file(&dir.path().join("1")).unwrap(), tensors().into_iter().collect());
}

#[test]
fn values_are_rounded_to_half_precision_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("half");
    let tensor = |values: Vec<f32>| vec![("a".to_owned(), HostTensor::new(vec![values.len()], values))];
    // 1 + 2^-11 lies between 1 and 1 + 2^-10 and goes to the even one; 0.1 is 1638.4 units of 2^-14.
    let values = vec![1.0, 1.0 + 2f32.powi(-11), -0.1, 65504.0, f32::INFINITY];
    write_file_as(&path, tensor(values), StoredType::F16).unwrap();
    let rounded = vec![1.0, 1.0, -1638.0 / 16384.0, 65504.0, f32::INFINITY];
    assert_eq!(read_file(&path).unwrap(), tensor(rounded).into_iter().collect());
    assert!(std::fs::metadata(&path).unwrap().len() < 128);

    let error =
        write_file_as(&dir.path().join("large"), tensor(vec![1.0, 1e6]), StoredType::F16).unwrap_err();
    let error = error.to_string();
    assert!(error.ends_with("tensor `a`: expected values within F16's range, found 1000000"), "{error}");
    assert!(!dir.path().join("large").exists());
}
