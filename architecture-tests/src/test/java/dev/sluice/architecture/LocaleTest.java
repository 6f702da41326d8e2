package dev.sluice.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Whatever Sluice writes is read by machines too: no class of any module takes calendar, digits or letter case from the locale of the process. */
class LocaleTest {
    private static final String CONSTRUCTOR = "<init>";

    /** Methods of the JDK that take the locale of the process unless they are given one. */
    private static final Map<String, Set<String>> OF_LOCALE = Map.ofEntries(
            Map.entry("java.lang.String", Set.of("format", "formatted", "toLowerCase", "toUpperCase")),
            Map.entry("java.io.PrintStream", Set.of("printf", "format")),
            Map.entry("java.io.PrintWriter", Set.of("printf", "format")),
            Map.entry("java.util.Formatter", Set.of(CONSTRUCTOR)),
            Map.entry("java.util.Calendar", Set.of("getInstance")),
            Map.entry("java.text.SimpleDateFormat", Set.of(CONSTRUCTOR)),
            Map.entry("java.text.DateFormat", Set.of("getInstance", "getDateInstance", "getTimeInstance", "getDateTimeInstance")),
            Map.entry("java.text.NumberFormat",
                    Set.of("getInstance", "getNumberInstance", "getIntegerInstance", "getPercentInstance", "getCompactNumberInstance")),
            Map.entry("java.text.DecimalFormat", Set.of(CONSTRUCTOR)),
            Map.entry("java.text.MessageFormat", Set.of(CONSTRUCTOR, "format")),
            Map.entry("java.time.format.DateTimeFormatter", Set.of("ofPattern", "ofLocalizedDate", "ofLocalizedTime", "ofLocalizedDateTime")),
            Map.entry("java.time.format.DateTimeFormatterBuilder", Set.of("toFormatter")));

    private static final Set<String> SAY_WHICH = Set.of(Locale.class.getName(), "java.text.DecimalFormatSymbols");

    @Test
    void shouldNameALocaleWhereverTextIsMade() {
        ArchRule rule = noClasses().should().accessTargetWhere(new DescribedPredicate<JavaAccess<?>>("the locale of the process decides: give Locale.ROOT") {
            @Override
            public boolean test(JavaAccess<?> access) {
                return access.getTarget() instanceof AccessTarget.CodeUnitAccessTarget target && takesLocaleOfProcess(target);
            }
        });
        rule.check(CompiledModules.MAIN);
    }

    private static boolean takesLocaleOfProcess(AccessTarget.CodeUnitAccessTarget target) {
        List<JavaClass> parameters = target.getRawParameterTypes();
        return OF_LOCALE.getOrDefault(target.getOwner().getName(), Set.of()).contains(target.getName())
                && parameters.stream().noneMatch(type -> SAY_WHICH.contains(type.getName()));
    }
}
