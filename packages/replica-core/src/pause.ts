/** A pause that can be cut short. */
export class Pause {
  #end: (() => void) | undefined

  async for(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#end = undefined
  }

  /** Cuts it short, if there is one. */
  end(): void {
    this.#end?.()
  }
}
