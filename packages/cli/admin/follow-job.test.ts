import assert from 'node:assert/strict'
import { it } from 'node:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Type } from 'typebox'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { Invocable, Terminal } from '../command.ts'
import { followJob, isJob, wasGivenUp } from './follow-job.ts'
import { runAdmin } from './run-admin.ts'

const job = (more: JsonObject): JsonObject & { job: string; finished: JsonValue } => ({
  job: 'j1',
  progress: {},
  finished: null,
  ...more,
})

it('progress is told once each time it changes, beside the results', async () => {
  const answers = [
    job({ progress: { rows: 1 } }),
    job({ progress: { rows: 1 } }),
    job({ progress: { rows: 2 } }),
    job({ progress: { rows: 3 }, finished: 'now' }),
  ]
  let said = ''
  const result = await followJob(
    { err: (text) => void (said += text) },
    job({ room_id: '!r' }),
    async () => answers.shift()!,
    { sleep: async () => undefined },
  )
  assert.match(said, /job j1/)
  assert.equal(said.split('\n').slice(1).join('|'), '  rows=1|  rows=2|')
  assert.deepEqual(result, { ...job({ progress: { rows: 3 }, finished: 'now' }), room_id: '!r' })
  assert.deepEqual([isJob(result), wasGivenUp(result)], [true, false])
  assert.equal(wasGivenUp(job({ finished: 'now', reason: 'occupied' })), true)
  assert.deepEqual([isJob([]), isJob({ job: 'x' }), isJob(null)], [false, false, false])
})

it('a command that began a job ends with what the job came to; --no-wait does not wait', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cli-'))
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    const ended = job({ finished: 'now', reason: 'somebody came in' })
    void json(request).then(() =>
      response.end(JSON.stringify({ result: request.url === '/commands/job-show' ? ended : job({}) })),
    )
  })
  await new Promise<void>((resolve) => server.listen(join(folder, 'a.sock'), resolve))
  const purge: Invocable = { usage: '', summary: 'Purge', input: Type.Object({}) }
  const run = async (...argv: string[]): Promise<{ code: number; out: string }> => {
    let out = ''
    const terminal: Terminal = {
      out: (text) => void (out += text),
      err: () => undefined,
      environment: { CAUSEWAY_ADMIN__SOCKET: join(folder, 'a.sock') },
      folder,
      readLine: async () => '',
    }
    const code = await runAdmin(terminal, argv, async () => new Map([['room-purge', purge]]))
    return { code, out }
  }
  try {
    const waited = await run('room', 'purge', '--json')
    assert.deepEqual([waited.code, JSON.parse(waited.out).reason], [1, 'somebody came in'])
    assert.deepEqual(asked.splice(0), ['/commands/room-purge', '/commands/job-show'])
    const left = await run('room', 'purge', '--no-wait')
    assert.equal(left.code, 0)
    assert.deepEqual(asked, ['/commands/room-purge'])
  } finally {
    server.close()
    rmSync(folder, { recursive: true })
  }
})
