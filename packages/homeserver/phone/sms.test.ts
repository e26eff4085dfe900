import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { systemClock } from '@causeway/store/clock/system.ts'
import { RateLimiter } from '../limits/limiter.ts'
import { NO_LIMITS } from '../limits/test-limits.ts'
import { createLogger } from '../ops/log.ts'
import { createAddressGuard } from '../outgoing/address-guard.ts'
import { createOutgoing } from '../outgoing/outgoing.ts'
import { createSystemResolver } from '../outgoing/system-resolver.ts'
import type { SmsConfig } from '../sms-options.ts'
import { testConfig } from '../test-server.ts'
import { createSms, type Sms } from './sms.ts'
import { SmsFailed, SmsRefused, type TextMessage } from './sms-hook.ts'
import { startSmsHook, type TestSmsHook } from './test-sms-hook.ts'

const MESSAGE: TextMessage = {
  id: 'id',
  to: '+4915123456789',
  text: 'words of the text',
  purpose: 'add',
  code: 'the code',
}

describe('the hook for text messages', () => {
  let hook: TestSmsHook
  let log: string[] = []
  before(async () => {
    hook = await startSmsHook()
  })
  beforeEach(() => {
    hook.arrived.length = 0
    hook.taken.length = 0
    hook.answer = () => 204
    log = []
  })
  after(() => hook[Symbol.asyncDispose]())

  /** Pauses between tries cost a test nothing. */
  const clock = {
    ...systemClock,
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(Math.min(ms, 1), signal),
  }
  const open = (more: Partial<SmsConfig> = {}): Sms => {
    const guard = createAddressGuard(['0.0.0.0/0', '::/0'])
    const outgoing = createOutgoing({ clock, guard, resolver: createSystemResolver(clock) })
    const logger = createLogger({
      level: 'debug',
      format: 'json',
      clock,
      write: (line) => void log.push(line),
    })
    const config = { ...testConfig('/nowhere', {}).sms, url: hook.url, countries: ['DE'], ...more }
    return createSms({ config, outgoing, clock, logger, limiter: new RateLimiter(NO_LIMITS, clock) })
  }

  it('is not sent a message twice that it may have taken: it did not answer in time', async () => {
    await using sms = open({ timeout: 1_000 })
    hook.answer = () => 'silence'
    await assert.rejects(sms.deliver(MESSAGE), SmsFailed)
    assert.equal(hook.arrived.length, 1)
    assert.deepEqual(sms.figures, { sent: 0, refused: 0, failed: 1, limited: 0 })
  })

  it('is written about in the log without the number, the text and the code', async () => {
    await using sms = open()
    hook.answer = () => 503
    await assert.rejects(sms.deliver(MESSAGE), SmsFailed)
    hook.answer = () => 400
    await assert.rejects(sms.deliver(MESSAGE), SmsRefused)
    assert.equal(log.length, 4)
    for (const line of log) {
      assert.match(line, /"level":"warn".*a text message could not be handed to the hook/)
      assert.match(line, /"id":"id"/)
      assert.doesNotMatch(line, /4915123456789|words of|the code/)
    }
    assert.match(log[0]!, /status 503/)
  })

  it('may be away: then the message fails', async () => {
    const gone = await startSmsHook()
    await gone[Symbol.asyncDispose]()
    await using sms = open({ url: gone.url })
    await assert.rejects(sms.deliver(MESSAGE), SmsFailed)
    assert.equal(log.length, 3)
  })

  it('is waited for when the server stops, but not for long', async () => {
    const sms = open()
    hook.answer = () => 'silence'
    sms.send(MESSAGE)
    await sms[Symbol.asyncDispose]()
    assert.equal(sms.figures.failed, 1)
  })

  it('is for mobile phones of the countries that the operator names', () => {
    const [some, all] = [open(), open({ countries: ['*'] })]
    assert.equal(some.refusalOf({ country: 'DE', isMobile: true }), undefined)
    assert.match(some.refusalOf({ country: 'AT', isMobile: true })!, /country/)
    assert.match(some.refusalOf({ country: 'DE', isMobile: false })!, /mobile/)
    assert.equal(all.refusalOf({ country: 'AT', isMobile: true }), undefined)
    assert.match(all.refusalOf({ country: undefined, isMobile: true })!, /country/)
  })
})
