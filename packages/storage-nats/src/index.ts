export { natsDriver, openNATSStore } from './open.ts'
export { type Environment, type NATSStoreOptions, natsOptions } from './options.ts'
