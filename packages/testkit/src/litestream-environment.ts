/**
 * This process's environment without what changes Litestream's behaviour: AWS_CA_BUNDLE keeps its S3 client from
 * starting, and its own variables would configure it.
 */
export function litestreamEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(
    ([name]) => name !== 'AWS_CA_BUNDLE' && !name.startsWith('LITESTREAM_'),
  )
  return Object.fromEntries(entries)
}
