/**
 * What one more request costs, in bytes that could have been read meanwhile. A file up to this size is read whole, a gap up to this
 * size is read over, and of two ways to a state one file less is worth so many bytes.
 */
export const REQUEST_BYTES: number = 256 * 1024
