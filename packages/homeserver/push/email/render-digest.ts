import { html, type Html } from '../../accounts/pages/html.ts'
import type { DescribedEvent } from './describe-event.ts'

/** One message as a mail shows it. */
export interface DigestMessage extends DescribedEvent {
  readonly sender: string
  /** When it was sent, for people. */
  readonly when: string
}

export interface DigestRoom {
  readonly name: string
  readonly link: string
  readonly messages: readonly DigestMessage[]
  /** How many more there are, in words; empty: none. */
  readonly more: string
}

/** All that a mail says. Names are one line each. */
export interface Digest {
  readonly serverName: string
  readonly userId: string
  readonly rooms: readonly DigestRoom[]
  /** Rooms with missed messages that are not shown. */
  readonly otherRooms: number
  readonly unsubscribe: string
  /** What the client that wants these mails calls itself; empty: nothing. */
  readonly brand: string
}

/** Subject and both parts of a mail; they say the same. */
export interface RenderedDigest {
  readonly subject: string
  readonly text: string
  readonly html: string
}

export function renderDigest(digest: Digest): RenderedDigest {
  return { subject: subjectOf(digest), text: renderText(digest), html: renderHtml(digest).text }
}

function subjectOf({ rooms, otherRooms, brand, serverName }: Digest): string {
  const [first] = rooms
  const others = rooms.length - 1 + otherRooms
  const where =
    others === 0 ? first!.name : `${first!.name} and ${others} other ${others === 1 ? 'room' : 'rooms'}`
  return `[${brand === '' ? serverName : brand}] Unread messages in ${where}`
}

const introOf = ({ userId, serverName }: Digest): string =>
  `You (${userId}) have unread messages on the Matrix server ${serverName}.`

const otherRoomsOf = ({ otherRooms }: Digest): string =>
  otherRooms === 0
    ? ''
    : `There are unread messages in ${otherRooms} more ${otherRooms === 1 ? 'room' : 'rooms'}.`

const reasonOf = ({ brand }: Digest): string =>
  `You get these mails because ${brand === '' ? 'your account' : brand} is set to send them.`

const headOf = ({ sender, when, said, text }: DigestMessage): string =>
  said ? `${sender}, ${when}:` : `${sender} ${text}, ${when}`

/** What people wrote is set in, so that it does not look like a line of ours. */
function messageText(message: DigestMessage): string {
  const head = `- ${headOf(message)}`
  return message.said ? `${head}\n${message.text.replaceAll(/^/gm, '    ')}` : head
}

function roomText({ name, link, messages, more }: DigestRoom): string {
  const lines = [`* ${name}`, link, '', ...messages.map(messageText), ...(more === '' ? [] : [`- ${more}`])]
  return lines.join('\n')
}

function renderText(digest: Digest): string {
  const others = otherRoomsOf(digest)
  return `${[
    introOf(digest),
    ...digest.rooms.map(roomText),
    ...(others === '' ? [] : [others]),
    `-- \n${reasonOf(digest)}\nTo stop them, open this link and press the button there:\n${digest.unsubscribe}`,
  ].join('\n\n')}\n`
}

function messageHtml(message: DigestMessage): Html {
  const { sender, when, said, text } = message
  if (!said) return html`<li><strong>${sender}</strong> ${text}, ${when}</li>`
  return html`<li>
    <strong>${sender}</strong>, ${when}:
    <blockquote style="margin:.2em 0 .8em;white-space:pre-wrap">${text}</blockquote>
  </li>`
}

function roomHtml({ name, link, messages, more }: DigestRoom): Html {
  return html`<h2>${name}</h2>
    <ul>
      ${messages.map(messageHtml)}${more !== '' && html`<li>${more}</li>`}
    </ul>
    <p><a href="${link}">Open ${name}</a></p>`
}

/** Without pictures, scripts and anything loaded from elsewhere; headings and lists, for who hears it. */
function renderHtml(digest: Digest): Html {
  const others = otherRoomsOf(digest)
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <meta name="color-scheme" content="light dark" />
        <title>${subjectOf(digest)}</title>
      </head>
      <body style="font:100%/1.5 sans-serif;max-width:40em;overflow-wrap:break-word">
        <h1 style="font-size:1.4em">Unread messages</h1>
        <p>${introOf(digest)}</p>
        ${digest.rooms.map(roomHtml)} ${others !== '' && html`<p>${others}</p>`}
        <hr />
        <p>${reasonOf(digest)} <a href="${digest.unsubscribe}">Stop these mails</a></p>
      </body>
    </html> `
}
