export { serverOrReason } from './server-or-reason.ts'
export { freePort, type ServerCommand, ServerProcess } from './server-process.ts'
