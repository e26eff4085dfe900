import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { registrationOffer } from './accounts/registration-policy.ts'
import { findSmsConflicts, type SmsConfig } from './sms-options.ts'
import { testConfig } from './test-server.ts'

const config = testConfig('/nowhere', {})
const url = 'http://10.0.0.1:9000/sms'

describe('the options for text messages', () => {
  it('go together', () => {
    const faults = (more: Partial<SmsConfig>): string[] =>
      findSmsConflicts({ ...config.sms, ...more }).map(({ path }) => path.join('.'))
    assert.deepEqual(faults({}), [])
    assert.deepEqual(
      faults({ url, countries: ['DE', 'GB'], token: 'x', required_for_registration: true }),
      [],
    )
    assert.deepEqual(faults({ url, countries: ['*'] }), [])
    assert.deepEqual(faults({ url }), ['sms.countries'])
    assert.deepEqual(faults({ url, countries: ['UK', 'XX'] }), ['sms.countries', 'sms.countries'])
    assert.deepEqual(faults({ url: 'http://', countries: ['*'] }), ['sms.url'])
    assert.deepEqual(faults({ url: 'http://user:password@host/', countries: ['*'] }), ['sms.url'])
    assert.deepEqual(faults({ token: 'x' }), ['sms.token'])
    assert.deepEqual(faults({ required_for_registration: true }), ['sms.required_for_registration'])
    assert.deepEqual(faults({ timeout: 10 }), ['sms.timeout'])
  })

  it('say, with those for mail, by which addresses people may and must make accounts', () => {
    const [MAIL, PHONE] = ['m.login.email.identity', 'm.login.msisdn']
    const flows = (email: object, sms: object): string[][] =>
      registrationOffer({
        ...config,
        email: { ...config.email, host: 'mail.test', ...email },
        sms: { ...config.sms, url, ...sms },
      }).flows.map((stages) => [...stages])
    const must = { required_for_registration: true }
    assert.deepEqual(flows({}, {}), [['m.login.dummy'], [MAIL], [PHONE], [MAIL, PHONE]])
    assert.deepEqual(flows({}, must), [[PHONE], [MAIL, PHONE]])
    assert.deepEqual(flows(must, {}), [[MAIL], [MAIL, PHONE]])
    assert.deepEqual(flows(must, must), [[MAIL, PHONE]])
    assert.deepEqual(flows({ host: undefined }, must), [[PHONE]])
    assert.deepEqual(flows({ host: undefined }, { url: undefined }), [['m.login.dummy']])
  })
})
