import assert from 'node:assert/strict'
import { test } from 'node:test'
import { classifyError, classifySocketError } from './disconnect-reason.ts'

test('the words of real servers are understood', () => {
  const cases: [string, string][] = [
    ['Closing link: (a@127.0.0.1) [Killed (oper (you are banned))]', 'killed'],
    ['KILLed by irc.example: spam', 'killed'],
    ['Closing link: (a@127.0.0.1) [K-lined: no bridges]', 'banned'],
    ['Closing Link: host (Z-Lined: proxies)', 'banned'],
    ['Closing Link: 10.0.0.1 (*** Banned )', 'banned'],
    ['You are not welcome here', 'banned'],
    ['Closing link: (a@h) [Excess Flood]', 'flooded'],
    ['Closing link: (a@h) [RecvQ exceeded]', 'flooded'],
    ['Closing Link: (Trying to reconnect too fast.)', 'throttled'],
    ['Closing link: (a@h) [No more connections from your host via this connect class (local)]', 'throttled'],
    ['Too many connections from your host', 'throttled'],
    ['Closing link: (a@h) [Server shutdown]', 'server-closed'],
    ['Closing link: (a@h) [Ping timeout: 120 seconds]', 'server-closed'],
    ['', 'server-closed'],
  ]
  for (const [text, reason] of cases) assert.equal(classifyError(text), reason, text)
})

test('a certificate that does not verify is told from a broken line', () => {
  const error = (code: string): Error => Object.assign(new Error(code), { code })
  assert.equal(classifySocketError(error('DEPTH_ZERO_SELF_SIGNED_CERT'), false), 'tls-failed')
  assert.equal(classifySocketError(error('ERR_TLS_CERT_ALTNAME_INVALID'), false), 'tls-failed')
  assert.equal(classifySocketError(error('ECONNREFUSED'), false), 'dial-failed')
  assert.equal(classifySocketError(error('ECONNRESET'), true), 'network')
  assert.equal(classifySocketError('odd', true), 'network')
})
