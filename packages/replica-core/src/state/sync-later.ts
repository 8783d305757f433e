import { fdatasync } from 'node:fs'

/** Makes the bytes of a file durable without holding up this thread. @throws the system's error */
export function syncLater(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => (error === null ? resolve() : reject(error)))
  })
}
