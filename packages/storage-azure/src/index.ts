export type { AzureAccount } from './connection-string.ts'
export { azureDriver, openAzureStore } from './open.ts'
export { type AzureStoreOptions, azureOptions, type Environment } from './options.ts'
export { ServiceError } from './service-errors.ts'
