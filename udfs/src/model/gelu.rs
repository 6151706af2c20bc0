//! The activation of BERT, `x * (1 + erf(x / sqrt(2))) / 2` (Hendrycks & Gimpel, 2016, arXiv
//! 1606.08415), eight numbers at a time: taken one by one, as candle does, the error function is a
//! third of the cost of an encoder.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};
use wide::f32x8;

/// Numbers that are worked on together.
const LANES: usize = 8;
/// The error function of Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.26: `P`, and
/// the coefficients from the highest power down. It is off by 1.5e-7 at most.
const P: f32 = 0.327_591_1;
const COEFFICIENTS: [f32; 5] = [
    1.061_405_4,
    -1.453_152,
    1.421_413_7,
    -0.284_496_72,
    0.254_829_6,
];
/// Beyond this the error function is 1 in 32 bits, and its exponential does not matter.
const FAR: f32 = 9.0;

/// The operation, for tensors of 32-bit numbers.
#[derive(Debug)]
pub(super) struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (CpuStorage::F32(numbers), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            bail!("gelu takes contiguous numbers of 32 bits");
        };
        let numbers = numbers.get(start..end).unwrap_or_default();
        let mut out = Vec::with_capacity(numbers.len());
        let (whole, rest) = numbers.as_chunks::<LANES>();
        for lanes in whole {
            out.extend_from_slice(&gelu(*lanes));
        }
        let mut lanes = [0.0; LANES];
        lanes
            .iter_mut()
            .zip(rest)
            .for_each(|(lane, number)| *lane = *number);
        out.extend(gelu(lanes).into_iter().take(rest.len()));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

fn gelu(lanes: [f32; LANES]) -> [f32; LANES] {
    let splat = f32x8::splat;
    let numbers = f32x8::new(lanes);
    let scaled = numbers.abs() * splat(std::f32::consts::FRAC_1_SQRT_2);
    let scaled = scaled.min(splat(FAR));
    let part = splat(1.0) / scaled.mul_add(splat(P), splat(1.0));
    let sum = COEFFICIENTS
        .into_iter()
        .fold(splat(0.0), |sum, one| sum.mul_add(part, splat(one)));
    let rest = sum * part * (splat(0.0) - scaled * scaled).exp();
    // x/2 + |x|/2 * erf(|x| / sqrt(2)): the error function is odd.
    let half = splat(0.5);
    (numbers * half + numbers.abs() * half * (splat(1.0) - rest)).to_array()
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn it_is_the_function_that_candle_has() {
        let numbers: Vec<f32> = (-4_000..4_003).map(|one| one as f32 / 300.0).collect();
        let numbers = [numbers, vec![0.0, -1e30, 1e30, f32::MIN_POSITIVE]].concat();
        let all = Tensor::new(numbers.as_slice(), &Device::Cpu).unwrap();
        let own: Vec<f32> = all.apply_op1_no_bwd(&Gelu).unwrap().to_vec1().unwrap();
        let want: Vec<f32> = all.gelu_erf().unwrap().to_vec1().unwrap();
        for ((number, own), want) in numbers.iter().zip(own).zip(want) {
            let apart = (own - want).abs() / want.abs().max(1.0);
            assert!(apart < 1e-6, "{number}: {own} {want}");
        }
        let part = all.narrow(0, 3, 10).unwrap();
        let own: Vec<f32> = part.apply_op1_no_bwd(&Gelu).unwrap().to_vec1().unwrap();
        assert_eq!(own.len(), 10);
        let lost = Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
        let lost: Vec<f32> = lost.apply_op1_no_bwd(&Gelu).unwrap().to_vec1().unwrap();
        assert!(lost[0].is_nan());
    }
}
