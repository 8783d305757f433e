/**
 * Copies `size` bytes, in steps of 16: may write and read up to 15 bytes too many, 16 if there are none. Ranges may overlap if `to` is at
 * least 16 behind `from`, and repeat then what lies between.
 */
export function copy16(to: usize, from: usize, size: usize): void {
  const end = to + size
  let a = to
  let b = from
  do {
    v128.store(a, v128.load(b))
    a += 16
    b += 16
  } while (a < end)
}
