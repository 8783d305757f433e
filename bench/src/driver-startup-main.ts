// Loads one driver and opens a store by its URL in a fresh process. Argument: { package, driver, url }.
interface DriverStartup {
  readonly name: string
  readonly driver: string
  readonly url: string
}

const { name, driver, url } = JSON.parse(process.argv[2] ?? '') as DriverStartup
const before = process.memoryUsage().rss
const started = performance.now()
const { [driver]: found } = (await import(name)) as Record<
  string,
  { open(url: URL, options: object): Promise<AsyncDisposable> }
>
const environment = {
  AWS_ACCESS_KEY_ID: 'id',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AZURE_STORAGE_KEY: 'c2VjcmV0',
}
const store = await found!.open(new URL(url), { environment })
const milliseconds = performance.now() - started
const bytes = process.memoryUsage().rss - before
await store[Symbol.asyncDispose]()
process.send?.({ milliseconds, bytes }, () => process.disconnect())
