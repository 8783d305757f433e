/** How a service differs from what the protocol says. */
export interface Provider {
  readonly name: string
  /** The region that an endpoint's host tells, if it does. */
  readonly region?: (host: string) => string | undefined
  /** The bucket in the path rather than in the host name. */
  readonly pathStyle: boolean
  /** Puts and parts carry a CRC32 besides the signed SHA-256. Several services refuse or store it. */
  readonly sendsChecksums: boolean
  /** If-Match and If-None-Match of PutObject are honoured: documented, or measured on the same software. Else false. */
  readonly conditionalPut: boolean
  /** Those of CompleteMultipartUpload too. */
  readonly conditionalComplete: boolean
  /** Those of CopyObject, for the object that is made. */
  readonly conditionalCopy: boolean
  /** What a batch of deletes is checked by; 'none': there is no batch. */
  readonly batchDelete: 'crc32' | 'md5' | 'none'
  /** All parts of an upload but the last must have the same size. */
  readonly equalParts: boolean
  /** Parts of one upload at once. */
  readonly partConcurrency: number
  /** Listings see what was written before. */
  readonly consistentList: boolean
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Anything that is not in the table: nothing beyond the minimum is believed. */
const UNKNOWN: Provider = {
  name: 'unknown',
  pathStyle: true,
  sendsChecksums: false,
  conditionalPut: false,
  conditionalComplete: false,
  conditionalCopy: false,
  batchDelete: 'md5',
  equalParts: false,
  partConcurrency: 4,
  consistentList: true,
}

export const AWS: Provider = {
  ...UNKNOWN,
  name: 'aws',
  pathStyle: false,
  sendsChecksums: true,
  conditionalPut: true,
  conditionalComplete: true,
  conditionalCopy: true,
  batchDelete: 'crc32',
  region: (host) => /^s3[.-](?:dualstack\.|fips\.)?([a-z]{2}(?:-[a-z]+)+-\d)\./.exec(host)?.[1],
}

/** MinIO, Ceph, SeaweedFS, versitygw: software that people run themselves, on a port of its own. */
const SELF_HOSTED: Provider = { ...UNKNOWN, name: 'self-hosted', conditionalPut: true }

/** Hosts, and what is known of the service there. The first match counts. */
const PROVIDERS: readonly { readonly host: RegExp; readonly provider: Provider }[] = [
  { host: /(?:^|\.)amazonaws\.com(?:\.cn)?$/, provider: AWS },
  {
    // Its documentation names conditions for both puts, one size for all parts, and 'auto' as the only region.
    host: /\.r2\.cloudflarestorage\.com$/,
    provider: {
      ...UNKNOWN,
      name: 'r2',
      region: () => 'auto',
      conditionalPut: true,
      conditionalComplete: true,
      equalParts: true,
      partConcurrency: 2,
    },
  },
  {
    // Without the header a request may be answered by a copy in another region.
    host: /^(?:fly\.storage\.tigris\.dev|t3\.storage\.dev|t3\.tigrisfiles\.io)$/,
    provider: {
      ...UNKNOWN,
      name: 'tigris',
      region: () => 'auto',
      conditionalPut: true,
      batchDelete: 'crc32',
      headers: { 'x-tigris-consistent': 'true' },
    },
  },
  {
    host: /\.backblazeb2\.com$/,
    provider: {
      ...UNKNOWN,
      name: 'b2',
      region: (host) => /^s3\.([a-z0-9-]+)\.backblazeb2\.com$/.exec(host)?.[1],
    },
  },
  {
    // Ceph, like Hetzner.
    host: /\.digitaloceanspaces\.com$/,
    provider: {
      ...UNKNOWN,
      name: 'digitalocean',
      region: () => 'us-east-1',
      conditionalPut: true,
    },
  },
  {
    host: /\.your-objectstorage\.com$/,
    provider: {
      ...UNKNOWN,
      name: 'hetzner',
      region: (host) => /^([a-z0-9]+)\.your-objectstorage\.com$/.exec(host)?.[1],
      conditionalPut: true,
    },
  },
  {
    host: /\.scw\.cloud$/,
    provider: {
      ...UNKNOWN,
      name: 'scaleway',
      region: (host) => /^s3\.([a-z0-9-]+)\.scw\.cloud$/.exec(host)?.[1],
    },
  },
  { host: /\.supabase\.(?:co|in|red)$/, provider: { ...UNKNOWN, name: 'supabase' } },
  {
    // Insists on Content-MD5 for batches.
    host: /\.oraclecloud\.com$/,
    provider: {
      ...UNKNOWN,
      name: 'oci',
      region: (host) => /\.objectstorage\.([a-z0-9-]+)\.oraclecloud\.com$/.exec(host)?.[1],
    },
  },
  {
    host: /^s3\.filebase\.com$/,
    provider: { ...UNKNOWN, name: 'filebase', region: () => 'us-east-1', consistentList: false },
  },
  {
    // Its XML interface takes generations as conditions, not ETags.
    host: /(?:^|\.)storage\.googleapis\.com$/,
    provider: { ...UNKNOWN, name: 'google', region: () => 'auto', batchDelete: 'none' },
  },
]

/** What is known of the service at an endpoint; without one it is AWS. */
export function providerOf(endpoint: string | undefined): Provider {
  if (endpoint === undefined) return AWS
  const { hostname, port } = new URL(endpoint)
  const known = PROVIDERS.find(({ host }) => host.test(hostname))
  if (known !== undefined) return known.provider
  return port === '' ? UNKNOWN : SELF_HOSTED
}
