import { setFlagsFromString } from 'node:v8'

const OPTIMIZERS = ['turbofan', 'maglev']

/**
 * Keeps V8's optimizing compilers out of the start, until this is disposed of. They are 8 MB of Node's file and of their
 * own memory, and a start, most of whose code runs once, gains nothing by them: a server for which nothing happens never
 * loads them. May be disposed of twice.
 */
export function withoutOptimizers(): Disposable {
  for (const name of OPTIMIZERS) setFlagsFromString(`--no-${name}`)
  return {
    [Symbol.dispose]() {
      for (const name of OPTIMIZERS) setFlagsFromString(`--${name}`)
    },
  }
}
