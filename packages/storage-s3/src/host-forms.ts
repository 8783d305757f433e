/** What the host of an `s3://` URL can say besides the bucket. */
export interface HostForm {
  readonly bucket: string
  readonly region?: string
  /** Without one: AWS. */
  readonly endpoint?: string
}

const FORMS: readonly [pattern: RegExp, endpoint: ((region: string | undefined) => string) | undefined][] = [
  [/^(?<bucket>.+)\.s3(?:[.-](?<region>[a-z0-9-]+))?\.amazonaws\.com$/, undefined],
  [
    /^(?<bucket>.+)\.(?<region>[a-z0-9-]+)\.digitaloceanspaces\.com$/,
    (region) => `https://${region}.digitaloceanspaces.com`,
  ],
  [
    /^(?<bucket>.+)\.s3\.(?<region>[a-z0-9-]+)\.backblazeb2\.com$/,
    (region) => `https://s3.${region}.backblazeb2.com`,
  ],
  [/^(?<bucket>.+)\.s3\.filebase\.com$/, () => 'https://s3.filebase.com'],
  [/^(?<bucket>.+)\.s3\.(?<region>[a-z0-9-]+)\.scw\.cloud$/, (region) => `https://s3.${region}.scw.cloud`],
]

/** Litestream's forms: a bucket, a bucket in front of a known service's host, or in front of any host with a port. */
export function hostForm(hostname: string, port: string): HostForm {
  if (port !== '') {
    const [, bucket, host] = /^([^.]+)\.(.+)$/.exec(hostname) ?? []
    if (bucket !== undefined && host !== undefined) return { bucket, endpoint: withScheme(`${host}:${port}`) }
  }
  for (const [pattern, endpointOf] of FORMS) {
    const groups = pattern.exec(hostname)?.groups
    if (groups === undefined) continue
    const { bucket = '', region } = groups
    const endpoint = endpointOf?.(region)
    // The region of Spaces is a part of the host only: requests are signed for us-east-1.
    const isSigned = region !== undefined && !hostname.endsWith('.digitaloceanspaces.com')
    return { bucket, ...(isSigned ? { region } : {}), ...(endpoint === undefined ? {} : { endpoint }) }
  }
  return { bucket: hostname }
}

/** `http` for this machine and private networks, else `https`, when an endpoint has no scheme. */
export function withScheme(endpoint: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(endpoint)) return endpoint
  return `${isPrivate(new URL(`http://${endpoint}`).hostname) ? 'http' : 'https'}://${endpoint}`
}

/** Names of this machine and of a local network, and addresses that are never routed. */
export function isPrivate(hostname: string): boolean {
  return (
    /^(?:[^.]+|.*\.(?:localhost|local|internal))$/.test(hostname) ||
    /^(?:127|10)\.|^192\.168\.|^172\.(?:1[6-9]|2\d|3[01])\.|^169\.254\./.test(hostname) ||
    /^\[(?:::1|f[cde])/i.test(hostname)
  )
}
