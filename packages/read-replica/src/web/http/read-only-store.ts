import {
  type AbortOptions,
  type BlobContent,
  type BlobInfo,
  type BlobStore,
  type Capabilities,
  type GetOptions,
  type ListOptions,
  StorageError,
} from '@sqlstream/storage'

/** A store that changes nothing, wherever it reads from: `put` and `delete` are `unsupported`. */
export abstract class ReadOnlyStore implements BlobStore {
  abstract readonly driver: string
  readonly capabilities: Capabilities = { conditionalPut: false, consistentList: true }

  /** Every object, in any order. */
  protected abstract objects(options: AbortOptions): Promise<readonly BlobInfo[]>
  abstract get(key: string, options?: GetOptions): Promise<BlobContent>

  async *list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void, void> {
    const { prefix = '', startAfter = '' } = options
    const objects = await this.objects(options)
    // Keys are ASCII, so the order of code units is that of bytes.
    const wanted = objects.filter(({ key }) => key.startsWith(prefix) && key > startAfter)
    yield* wanted.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  async head(key: string, options: AbortOptions = {}): Promise<BlobInfo> {
    const found = (await this.objects(options)).find((object) => object.key === key)
    if (!found) throw this.failure('head', 'not-found', `there is no ${key}`, key)
    return found
  }

  async put(key: string): Promise<never> {
    throw this.failure('put', 'unsupported', 'this store only reads', key)
  }

  async delete(): Promise<never> {
    throw this.failure('delete', 'unsupported', 'this store only reads')
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  protected failure(
    operation: StorageError['operation'],
    code: StorageError['code'],
    message: string,
    key?: string,
  ): StorageError {
    return new StorageError(message, { code, driver: this.driver, operation, key })
  }
}
