grammar Calc;

options { language = Java; }

expr : term (('+' | '-') term)* ;
term : NUMBER ;
NUMBER : ('0'..'9')+ ;
