import fs, { type BigIntStats } from 'node:fs'

// The calls of Node that take a callback, as promises: for many small files they cost a third of those of a `FileHandle`.

type Callback<T> = (error: Error | null, result: T) => void

function promised<T>(call: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)))
  })
}

/** @returns a descriptor, which `closeDescriptor` must be called for */
export function openDescriptor(path: string, flags: number | string): Promise<number> {
  return promised((done) => fs.open(path, flags, done))
}

export function statDescriptor(fd: number): Promise<BigIntStats> {
  return promised((done) => fs.fstat(fd, { bigint: true }, done))
}

/** @returns how many bytes of the chunk were written, at the end of what was written before */
export function writeDescriptor(fd: number, chunk: Uint8Array): Promise<number> {
  return promised((done) => fs.write(fd, chunk, done))
}

/** Sets the time of the last change, in seconds since 1970. */
export function setModified(fd: number, seconds: number): Promise<void> {
  return promised<void>((done) => fs.futimes(fd, seconds, seconds, (error) => done(error, undefined)))
}

/** Fills `target` from its beginning with what is at `position`. @returns how many bytes; 0 at the end of the file */
export function readDescriptor(fd: number, target: Uint8Array, position: number): Promise<number> {
  return promised((done) => fs.read(fd, target, 0, target.length, position, done))
}

export function closeDescriptor(fd: number): Promise<void> {
  return promised<void>((done) => fs.close(fd, (error) => done(error ?? null, undefined)))
}

/** Makes what was written durable, with its times. */
export function syncDescriptor(fd: number): Promise<void> {
  return promised<void>((done) => fs.fsync(fd, (error) => done(error ?? null, undefined)))
}

/** Makes what was written durable, without times that nobody needs to find it. */
export function datasyncDescriptor(fd: number): Promise<void> {
  return promised<void>((done) => fs.fdatasync(fd, (error) => done(error ?? null, undefined)))
}
