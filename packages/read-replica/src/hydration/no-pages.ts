import type { PageServer } from '../engine-client.ts'

/** For a thread that asks for no pages. */
export const NO_PAGES: PageServer = {
  read: async () => {
    throw new TypeError('a copy has all its pages')
  },
  replan: async () => {
    throw new TypeError('a copy has all its pages')
  },
  keyOf: () => 'the local copy',
}
