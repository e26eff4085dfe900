import type { AddressPurpose } from '@causeway/store/tables/address-sessions.ts'
import type { HttpResponse } from '../../http/endpoint.ts'
import { html, htmlPage } from './html.ts'

const TITLES: Readonly<Record<AddressPurpose, string>> = {
  register: 'Confirm your address',
  add: 'Confirm your address',
  reset: 'Allow a new password',
}
const BUTTONS: Readonly<Record<AddressPurpose, string>> = {
  register: 'Confirm this address',
  add: 'Confirm this address',
  reset: 'Allow the new password',
}

/** What a link is for. */
export interface EmailLink {
  readonly serverName: string
  readonly address: string
  readonly purpose: AddressPurpose
  /** Whose account the address is added to; empty otherwise. */
  readonly userId: string
  readonly sid: string
  readonly token: string
}

/** A button, since programs that look through mail open links too. */
export function emailFormPage(action: string, link: EmailLink): HttpResponse {
  const { address, purpose, userId } = link
  const what = {
    register: html`to make an account on the Matrix server <strong>${link.serverName}</strong>`,
    add: html`to add it to ${userId === '' ? 'an account' : 'the account'}
      ${userId !== '' && html`<strong>${userId}</strong> `}on the Matrix server
      <strong>${link.serverName}</strong>`,
    reset: html`to set a new password on the Matrix server <strong>${link.serverName}</strong>`,
  }[purpose]
  return htmlPage(
    200,
    TITLES[purpose],
    html`<p>Somebody used your address <strong>${address}</strong> ${what}.</p>
      <p>If that was not you, close this page: nothing changes then.</p>
      <form method="post" action="${action}">
        <input type="hidden" name="sid" value="${link.sid}" />
        <input type="hidden" name="token" value="${link.token}" />
        <button type="submit">${BUTTONS[purpose]}</button>
      </form>`,
  )
}

export function emailDonePage(): HttpResponse {
  return htmlPage(
    200,
    'Confirmed',
    html`<p>Go back to your Matrix client and continue there. You can close this page.</p>`,
  )
}

/** For a link that is not good (any more); it tells nobody why. */
export function emailRefusalPage(): HttpResponse {
  return htmlPage(
    403,
    'This link cannot be used',
    html`<p>
      It was used before, is older than two hours, or was not copied completely. Let your Matrix client send
      you another.
    </p>`,
  )
}
