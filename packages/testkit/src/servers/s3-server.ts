/** An S3 server on this machine, and a user who may do everything. It has no bucket yet. */
export interface S3Server extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** Of every server here. */
export const S3_CREDENTIALS: S3Server['credentials'] = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'canary-secret-key',
}
