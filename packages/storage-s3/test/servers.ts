import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import type { S3Server } from '@sqlstream/testkit/servers'

/** Makes the bucket that the tests use. */
export async function withBucket(starting: Promise<S3Server>): Promise<S3Server> {
  const server = await starting
  const client = new S3Client({
    endpoint: server.endpoint,
    credentials: server.credentials,
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  try {
    await client.send(new CreateBucketCommand({ Bucket: 'bucket' }))
  } finally {
    client.destroy()
  }
  return server
}
