export { type FileSinkOptions, fileSink, type IntegrityCheck } from './file-sink.ts'
