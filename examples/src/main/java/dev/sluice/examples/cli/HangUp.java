package dev.sluice.examples.cli;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import org.slf4j.LoggerFactory;

/**
 * SIGHUP, by convention "read your configuration again". The JDK's only door to signals is {@code sun.misc.Signal}, of which javac warns in a way that
 * cannot be suppressed; so it is reached reflectively, here and nowhere else.
 */
public final class HangUp {
    private HangUp() {}

    /**
     * Runs an action at every SIGHUP from now on, each in a thread of its own. Where the process was started with it ignored it stays so, and a warning says that.
     *
     * @throws LaunchException where this JVM lets nobody handle signals
     */
    public static void run(Runnable action) {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            InvocationHandler calls = (proxy, method, arguments) -> answer(proxy, method, arguments, action);
            Object proxy = Proxy.newProxyInstance(HangUp.class.getClassLoader(), new Class<?>[] {handler}, calls);
            Object hup = signal.getConstructor(String.class).newInstance("HUP");
            Object before = signal.getMethod("handle", signal, handler).invoke(null, hup, proxy);
            if (before == handler.getField("SIG_IGN").get(null)) {
                LoggerFactory.getLogger(HangUp.class)
                        .warn("SIGHUP has no effect: it was ignored when this process was started, as under nohup, and a Java virtual machine leaves it at that");
            }
        } catch (InvocationTargetException refused) {
            throw new LaunchException("SIGHUP cannot be handled (" + refused.getCause() + "): run java without -Xrs", refused);
        } catch (ReflectiveOperationException absent) {
            throw new LaunchException("SIGHUP cannot be handled (" + absent + "): use a Java runtime with the module jdk.unsupported", absent);
        }
    }

    private static Object answer(Object proxy, Method method, Object[] arguments, Runnable action) {
        return switch (method.getName()) {
            case "equals" -> proxy == arguments[0];
            case "hashCode" -> System.identityHashCode(proxy);
            case "toString" -> "SIGHUP";
            default -> {
                action.run();
                yield 0;
            }
        };
    }
}
