export { type FileSinkOptions, fileSink, type IntegrityCheck } from './file-sink.ts'
export { createKernelPool, createModestPool, type KernelPoolOptions } from './kernel-pool.ts'
