// Loaded into the server: on a signal it collects its garbage and writes down what is left.
import { writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { isMainThread } from 'node:worker_threads'
import { runInNewContext } from 'node:vm'

const file = process.env['BENCH_MEMORY_FILE']
if (isMainThread && file !== undefined) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  process.on('SIGUSR2', () => {
    collect()
    collect()
    writeFileSync(file, JSON.stringify(process.memoryUsage()))
  })
}
