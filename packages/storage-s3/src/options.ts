import type { RetryOptions } from '@sqlstream/storage'

/** Keys of an access to S3. */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** Encryption by the service: with a key that we bring (SSE-C), or with a key that it manages (SSE-KMS). */
export type S3Encryption =
  | { readonly kind: 'customer' /** 32 bytes in base64. Needs HTTPS. */; readonly key: string }
  | {
      readonly kind: 'kms' /** Default: the bucket's or the account's own key. */
      readonly keyId?: string | undefined
    }

/** Where an `S3Store` is, and how it behaves. What is not given follows from the endpoint: see the table of providers. */
export interface S3StoreOptions {
  /** Name, or ARN of an access point. */
  readonly bucket: string
  /** `http(s)://host[:port][/path]` of a service other than AWS. Default: AWS. */
  readonly endpoint?: string | undefined
  /** Default: that of the endpoint, else `defaultRegion`. */
  readonly region?: string | undefined
  /** Where to begin when no region is given; AWS tells the right one. Default: the SDK's chain, then us-east-1. */
  readonly defaultRegion?: string | undefined
  /** The bucket in the path rather than in the host name. Default: true with an endpoint. */
  readonly forcePathStyle?: boolean | undefined
  /** Default: the SDK's chain (environment, shared files, container, instance). */
  readonly credentials?: S3Credentials | undefined
  /** Section of the shared files that the chain reads. */
  readonly profile?: string | undefined
  /** Accept any TLS certificate. Default: false. */
  readonly skipVerify?: boolean | undefined
  /** Sign the bytes of bodies, not only the headers. Default: true. */
  readonly signPayload?: boolean | undefined
  /** Send Content-MD5 rather than CRC32 with batches of deletes. Default: true with an endpoint, but for Tigris. */
  readonly requireContentMD5?: boolean | undefined
  /** `STANDARD_IA`, … Default: the bucket's. */
  readonly storageClass?: string | undefined
  /** Default: none is asked for. */
  readonly encryption?: S3Encryption | undefined
  /** Bytes of the first parts of large uploads; smaller bodies are put whole. Default: 8 MiB, R2: 32 MiB. */
  readonly partSize?: number | undefined
  /** Parts of one upload at once. Default: 4, R2: 2. */
  readonly concurrency?: number | undefined
  /** Requests at once, and bodies being read besides. Default: 32. */
  readonly parallelism?: number | undefined
  /** Whether the service honours If-Match and If-None-Match when an object is put. */
  readonly conditionalPut?: boolean | undefined
  /** Whether it also honours them when a multipart upload is completed. */
  readonly conditionalComplete?: boolean | undefined
  /** Whether it also honours them when an object is copied. */
  readonly conditionalCopy?: boolean | undefined
  /** Milliseconds for a request's answer, and for each piece of a body. Default: 30,000; bodies of our own get 1 s more per 64 KB. */
  readonly timeoutMs?: number | undefined
  /** How often and how soon a request is tried again. Default: see `retryTransient`. */
  readonly retry?: Pick<RetryOptions, 'attempts' | 'pause'> | undefined
}
