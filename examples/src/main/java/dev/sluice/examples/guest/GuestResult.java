package dev.sluice.examples.guest;

/**
 * How a guest ended.
 *
 * @param exitStatus what the script returned; 97 when the guest had no disk
 * @param output what the console showed while the script ran: its output and the kernel's errors
 * @param console everything the console showed
 */
public record GuestResult(int exitStatus, String output, String console) {}
