import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'

/** Bits of V8's `OptimizationStatus`: code of one of the optimizing compilers is what runs. */
const OPTIMIZED = (1 << 4) | (1 << 5)

/** Prints whether a function that is called all the time gets optimized: during the start, and after it. */
const PROGRAM = `
import { withoutOptimizers } from ${JSON.stringify(path.join(import.meta.dirname, 'optimizers.ts'))}
const statusOf = new Function('f', 'return %GetOptimizationStatus(f)')
const isOptimized = async () => {
  const add = new Function('a', 'b', 'let s = 0; for (let i = 0; i < 1000; i++) s += a * i + b; return s')
  for (let round = 0; round < 200; round++) {
    for (let call = 0; call < 500; call++) add(call, round)
    if ((statusOf(add) & ${OPTIMIZED}) !== 0) return true
    await new Promise((resolve) => setImmediate(resolve))
  }
  return false
}
const starting = withoutOptimizers()
const during = await isOptimized()
starting[Symbol.dispose]()
console.log(JSON.stringify([during, await isOptimized()]))
`

test('nothing is optimized during the start, and everything that is called often after it', () => {
  const args = ['--allow-natives-syntax', '--input-type=module', '-e', PROGRAM]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.deepEqual(JSON.parse(stdout || stderr), [false, true])
})
