import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { it } from 'node:test'
import { addressBucket, clientIp, createTrustedProxies } from './client-ip.ts'

function from(peer: string, forwarded?: string): IncomingMessage {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: peer })
  const request = new IncomingMessage(socket)
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded
  return request
}

const PROXIES = createTrustedProxies(['10.0.0.0/8', '::1', 'unix'])

it('a header from somebody who is no proxy of ours is not believed', () => {
  assert.equal(clientIp(from('203.0.113.9', '1.2.3.4'), PROXIES), '203.0.113.9')
})

it('behind trusted proxies the last address that is none of them counts', () => {
  assert.equal(clientIp(from('10.0.0.1', '1.1.1.1, 203.0.113.9, 10.2.3.4'), PROXIES), '203.0.113.9')
  assert.equal(clientIp(from('::ffff:10.0.0.1', '203.0.113.9'), PROXIES), '203.0.113.9')
  assert.equal(clientIp(from('::1', '2001:db8::1'), PROXIES), '2001:db8::1')
  assert.equal(clientIp(from('', '203.0.113.9'), PROXIES), '203.0.113.9')
})

it('where the chain is broken or all of ours, what is known counts', () => {
  assert.equal(clientIp(from('10.0.0.1', 'unknown'), PROXIES), '10.0.0.1')
  assert.equal(clientIp(from('10.0.0.1', '1.1.1.1, <script>'), PROXIES), '10.0.0.1')
  assert.equal(clientIp(from('10.0.0.1', '10.0.0.7, 10.0.0.8'), PROXIES), '10.0.0.7')
})

it('a range that is none is an error', () => {
  assert.throws(() => createTrustedProxies(['example.org']), /no IP address/)
})

it('IPv6 is counted by /64', () => {
  assert.equal(addressBucket('192.0.2.1'), '192.0.2.1')
  assert.equal(addressBucket('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2')
  assert.equal(addressBucket('2001:db8::1'), '2001:db8:0:0')
  assert.equal(addressBucket('::1'), '0:0:0:0')
  assert.equal(addressBucket('fe80::1%eth0'), 'fe80:0:0:0')
})
