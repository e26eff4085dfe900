import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ERRCODE_STATUS } from '../../packages/matrix/errors/errcodes.ts'
import { casesFor, type FuzzCase } from './cases.ts'
import { loadSpecification, requestShape, SPEC_FOLDER } from './openapi.ts'
import { startTarget, type Reply, type Target } from './target.ts'
import { createDice } from './values.ts'

// A seed repeats a run exactly: FUZZ_SEED=7 npm test -- test/fuzz/fuzz.test.ts
const SEED = Number(process.env['FUZZ_SEED'] ?? 1)
/** What may remain in memory from thousands of refused requests: caches that fill up to their bounds. */
const MAX_GROWTH_BYTES = 48 * 1024 * 1024

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

interface ErrorBody {
  readonly errcode?: unknown
  readonly error?: unknown
  readonly flows?: unknown
  readonly session?: unknown
}

function parseBody(reply: Reply): ErrorBody | undefined {
  try {
    return JSON.parse(reply.body.toString('utf8')) as ErrorBody
  } catch {
    return undefined
  }
}

const isPage = (path: string): boolean => path.startsWith('/_causeway/') || path.includes('/fallback/')

/** A name that nobody bears is a server that does not answer: 502 and 504 say so, and are no faults of ours. */
function isOthersFault(reply: Reply): boolean {
  if (reply.status !== 502 && reply.status !== 504) return false
  const error = parseBody(reply)?.error
  return typeof error === 'string' && error.endsWith(' cannot be reached at the moment; try again later')
}

/** What is wrong with an answer; undefined when nothing is. */
function findFault(one: FuzzCase, reply: Reply): string | undefined {
  if (isOthersFault(reply)) return undefined
  if (reply.status >= 500) return `status ${reply.status}: ${reply.body.toString().slice(0, 300)}`
  if (reply.status < 400) return undefined
  // Pages for people say it in HTML; what is refused at the door is JSON there too.
  if (isPage(one.path) && reply.contentType.startsWith('text/html')) return undefined
  const body = parseBody(reply)
  if (body === undefined) return `status ${reply.status} without a JSON body`
  // Staged confirmation asks with 401 and no errcode until an attempt failed.
  if (reply.status === 401 && Array.isArray(body.flows) && typeof body.session === 'string') return undefined
  if (typeof body.errcode !== 'string' || !Object.hasOwn(ERRCODE_STATUS, body.errcode)) {
    return `status ${reply.status} with errcode ${JSON.stringify(body.errcode)}`
  }
  return typeof body.error === 'string' && body.error !== '' ? undefined : 'no sentence for a person'
}

/** Whether what was sent ended the person's session: others must be made to go on. */
function endedSession(one: FuzzCase, reply: Reply): boolean {
  if (one.auth !== 'user' || (reply.status !== 401 && reply.status !== 403)) return false
  const errcode = parseBody(reply)?.errcode
  return errcode === 'M_UNKNOWN_TOKEN' || errcode === 'M_USER_DEACTIVATED' || errcode === 'M_FORBIDDEN'
}

/** A few of each operation's faults: the first operation must not hide the others. */
function sample(faults: readonly string[]): string[] {
  const groups = Map.groupBy(faults, (fault) => fault.split(' ', 1)[0])
  return [...groups.values()].flatMap((group) => group.slice(0, 3))
}

async function tryCase(
  target: Target,
  one: FuzzCase,
): Promise<{ fault?: string | undefined; reply?: Reply }> {
  try {
    const reply = await target.send(one)
    return { reply, fault: findFault(one, reply) }
  } catch (error) {
    return { fault: `no answer: ${error instanceof Error ? error.message : String(error)}` }
  }
}

it(
  'no bad input gets a fault, a hang or growing memory out of any endpoint',
  { timeout: 600_000 },
  async (t) => {
    const specification = loadSpecification()
    await using target = await startTarget()
    await target.renew()
    const endpoints = target.server.router.table.compiled.map(({ endpoint }) => endpoint)
    const known = endpoints.filter((endpoint) => requestShape(endpoint, specification).isSpecified)
    const dice = createDice(SEED)
    const faults: string[] = []
    let sent = 0
    const measure = (): number => {
      collectGarbage()
      return process.memoryUsage().heapUsed
    }
    const runAll = async (): Promise<void> => {
      for (const endpoint of endpoints) {
        for (const one of casesFor(endpoint, specification, target.good(), dice)) {
          const { reply, fault } = await tryCase(target, one)
          sent += 1
          if (fault !== undefined)
            faults.push(
              `${endpoint.operation} (${one.method} ${one.path.slice(0, 150)}), ${one.what}: ${fault}`,
            )
          if (one.auth === 'none' && endpoint.auth === 'user' && reply !== undefined) {
            if (parseBody(reply)?.errcode !== 'M_MISSING_TOKEN')
              faults.push(`${endpoint.operation}: ${reply.status} to nobody`)
          }
          if (reply !== undefined && endedSession(one, reply)) await target.renew()
        }
      }
    }
    await runAll()
    const before = measure()
    await runAll()
    const growth = measure() - before
    const source =
      specification === undefined
        ? `no files in ${SPEC_FOLDER}; our schemas only`
        : `${known.length} of them specified`
    t.diagnostic(
      `${sent} requests to ${endpoints.length} endpoints (${source}), seed ${SEED}, heap ${(growth / 1e6).toFixed(1)} MB`,
    )
    assert.deepEqual(
      sample(faults),
      [],
      `${faults.length} faults; the server logged:\n${target.faults.slice(0, 10).join('')}`,
    )
    assert.deepEqual(target.faults, [], 'the server logged faults of its own')
    assert.ok(growth < MAX_GROWTH_BYTES, `the heap grew by ${growth} bytes`)
    assert.equal(
      (await target.send({ what: '', method: 'GET', path: '/_matrix/client/versions', auth: 'none' })).status,
      200,
    )
  },
)
