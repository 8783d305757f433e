import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { Storage } from '@google-cloud/storage'
import { type BlobStore, BodyReader } from '@sqlstream/storage'
import { openAzureStore } from '@sqlstream/storage-azure'
import { gcsDriver } from '@sqlstream/storage-gcs'
import { S3Store } from '@sqlstream/storage-s3'
import type { ObjectServers } from './object-servers-main.ts'

/** The two calls that backups are made of. */
export interface ObjectClient {
  put(key: string, bytes: Uint8Array): Promise<unknown>
  /** Reads an object to its end. */
  read(key: string): Promise<void>
}

/** A driver of ours and the plain calls of the SDK that it is compared with, at the same server. */
export interface Contest {
  readonly name: string
  readonly driver: ObjectClient
  readonly plain: ObjectClient
  close(): Promise<void>
}

const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }

function clientOf(store: BlobStore): ObjectClient {
  return {
    put: (key, bytes) => store.put(key, bytes),
    async read(key) {
      const reader = new BodyReader((await store.get(key)).body)
      while ((await reader.next()) !== undefined);
    },
  }
}

async function drain(chunks: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of chunks);
}

/** One contest for each service. */
export async function contests(servers: ObjectServers): Promise<Contest[]> {
  return [await s3(servers.s3), await gcs(servers.gcs), await azure(servers.azure)]
}

async function s3(endpoint: string): Promise<Contest> {
  const store = await S3Store.open({ bucket: 'bucket', endpoint, credentials: CREDENTIALS })
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    credentials: CREDENTIALS,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const Bucket = 'bucket'
  return {
    name: 'S3',
    driver: clientOf(store),
    plain: {
      put: (Key, Body) => client.send(new PutObjectCommand({ Bucket, Key, Body })),
      read: async (Key) => {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
        await drain(Body as AsyncIterable<unknown>)
      },
    },
    async close() {
      client.destroy()
      await store[Symbol.asyncDispose]()
    },
  }
}

async function gcs(apiEndpoint: string): Promise<Contest> {
  const store = await gcsDriver.open(new URL(`gs://bucket/?endpoint=${encodeURIComponent(apiEndpoint)}`))
  const bucket = new Storage({ apiEndpoint, projectId: 'bench' }).bucket('bucket')
  return {
    name: 'GCS',
    driver: clientOf(store),
    plain: {
      put: (key, bytes) => bucket.file(key).save(Buffer.from(bytes), { resumable: false, validation: false }),
      read: (key) => drain(bucket.file(key).createReadStream({ validation: false })),
    },
    close: async () => store[Symbol.asyncDispose](),
  }
}

async function azure({ account, accountKey, endpoint }: ObjectServers['azure']): Promise<Contest> {
  const container = `bench-${process.pid}`
  const credential = new StorageSharedKeyCredential(account, accountKey)
  const client = new ContainerClient(`${endpoint}/${container}`, credential)
  await client.create()
  const store = await openAzureStore({ container, account, accountKey, endpoint })
  return {
    name: 'Azure',
    driver: clientOf(store),
    plain: {
      put: (key, bytes) => client.getBlockBlobClient(key).upload(bytes, bytes.length),
      read: async (key) => {
        const { readableStreamBody } = await client.getBlobClient(key).download()
        await drain(readableStreamBody as AsyncIterable<unknown>)
      },
    },
    close: async () => store[Symbol.asyncDispose](),
  }
}
