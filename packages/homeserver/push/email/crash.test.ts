import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@causeway/store/clock/system.ts'
import { findTestDrivers } from '@causeway/store/log/databases-suite.ts'
import { startMailServer, type TestMailServer } from '../../email/test-mail-server.ts'

const WORKER = new URL('./crash-worker.ts', import.meta.url).pathname
/** Messages that each round adds, each in a room of its own; a mail shows ten rooms. */
const EACH = 3
const PATIENCE_MS = 240_000

/** What each round is killed at: a mail that comes to the mail server, which takes it not yet or has just taken it. */
type Moment = 'arrival' | 'taken'
const MOMENTS: readonly Moment[] = ['arrival', 'taken']

/** By whose name the mails of a round are known, whenever they are looked at. */
const nameOf = (round: number): string => `round${round}@test.example`

const messagesIn = ({ mails }: TestMailServer): string[] => mails.flatMap(({ text }) => told(text))
/** Both parts tell of each. */
const told = (text: string): string[] => [...new Set(text.match(/\bm\d+;/g) ?? [])]

/** Runs the server until the moment, or until everything was told. */
async function runUntil(
  args: readonly string[],
  mail: TestMailServer,
  moment: Moment | undefined,
  total: number,
): Promise<void> {
  const child = spawn(process.execPath, [WORKER, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  const closed = once(child, 'close')
  const look = (): void => {
    if (moment === undefined && new Set(messagesIn(mail)).size === total) child.kill('SIGKILL')
  }
  mail.onArrival = () => {
    if (moment !== 'arrival') return true
    child.kill('SIGKILL')
    return false
  }
  mail.onTaken = () => {
    if (moment === 'taken') child.kill('SIGKILL')
    look()
  }
  look()
  // What is lost never comes.
  const late = systemClock.setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
  assert.deepEqual(await closed, [null, 'SIGKILL'])
  late.cancel()
}

for (const { name, skip, create } of await findTestDrivers()) {
  test(
    `${name}: kill -9 loses no mail of missed messages, and repeats none but those under way`,
    { skip },
    async () => {
      await using database = await create()
      await using mail = await startMailServer()
      const folder = await mkdtemp(path.join(tmpdir(), 'digest-crash-'))
      try {
        const { config } = database
        const where = config.kind === 'sqlite' ? { path: config.path } : { path: '', url: config.url }
        const more = JSON.stringify({ database: { pool_size: 2, ...where } })
        for (const [index, moment] of [...MOMENTS, undefined].entries()) {
          const total = EACH * (index + 1)
          const args = [folder, more, String(mail.port), String(total), nameOf(index)]
          await runUntil(args, mail, moment, total)
        }
        const all = messagesIn(mail)
        const wanted = Array.from({ length: EACH * (MOMENTS.length + 1) }, (_, number) => `m${number};`)
        assert.deepEqual([...new Set(all)].toSorted(), wanted.toSorted())
        const lastOfRounds = MOMENTS.map((_, index) =>
          mail.mails.findLast(({ headers }) => headers.includes(nameOf(index))),
        )
        const underWay = new Set(lastOfRounds.flatMap((one) => told(one?.text ?? '')))
        const repeated = all.filter((message, at) => all.indexOf(message) !== at)
        for (const message of repeated) assert.ok(underWay.has(message), `${message} came again`)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  )
}
