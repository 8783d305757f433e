import fs, { type BigIntStats } from 'node:fs'

// The calls of Node that take a callback, as promises: for many small files they cost a third of those of a `FileHandle`.

type Callback<T> = (error: Error | null, result: T) => void

function promised<T>(call: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)))
  })
}

/** @returns a descriptor, which `closeDescriptor` must be called for */
export function openDescriptor(path: string, flags: number): Promise<number> {
  return promised((done) => fs.open(path, flags, done))
}

export function statDescriptor(fd: number): Promise<BigIntStats> {
  return promised((done) => fs.fstat(fd, { bigint: true }, done))
}

/** Fills `target` from its beginning with what is at `position`. @returns how many bytes; 0 at the end of the file */
export function readDescriptor(fd: number, target: Uint8Array, position: number): Promise<number> {
  return promised((done) => fs.read(fd, target, 0, target.length, position, done))
}

export function closeDescriptor(fd: number): Promise<void> {
  return promised<void>((done) => fs.close(fd, (error) => done(error ?? null, undefined)))
}
